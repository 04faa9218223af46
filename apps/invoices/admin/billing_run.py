"""Runs of closing: progress while they run, what they billed, and what they left parked."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.decorators import display

from apps.core import clock
from apps.core.admin.base import FactAdmin
from apps.core.admin.confirmation import Question, ask
from apps.core.admin.display import NOTHING, badge, counted, instant_text, period_text
from apps.core.admin.registry import Panel, register_panel
from apps.core.admin_sites import tenant_site
from apps.invoices.admin.invoice_actions import MAY_FINALIZE, ReasonForm
from apps.invoices.due import parked_subscriptions, still_due
from apps.invoices.models import BillingRun
from apps.invoices.services import close_periods
from apps.subscriptions.models import Subscription

SHOWN = 100
TONES = {BillingRun.State.RUNNING: "info", BillingRun.State.INTERRUPTED: "danger"}


class BillingRunAdmin(FactAdmin):
    empty_text = (
        "Nothing was due yet. Periods that are over are billed within a minute, and each run is listed here."
    )
    list_display = (
        "started_at_shown", "kind", "state", "due_until_at_shown", "by_shown", "due", "invoices", "parked",
        "amounts_shown",
    )  # fmt: skip
    list_filter = (("kind", ChoicesDropdownFilter), ("started_at", RangeDateTimeFilter))
    search_fields = ("started_by", "=subscription__public_id", "subscription__customer__name")
    search_help_text = "Who asked for it, or a customer"
    ordering = ("-id",)
    fieldsets = (
        (None, {"fields": (("kind", "state"), ("due_until_at_shown", "by_shown"), "for_shown")}),
        ("Progress", {"fields": (("due", "left"), ("invoices", "parked"), "amounts_shown")}),
        ("Time", {"fields": (("started_at_shown", "finished_at_shown"), "updated_at_shown")}),
    )

    @display(description="Started", ordering="started_at")
    def started_at_shown(self, run: BillingRun) -> str:
        return instant_text(run.started_at)

    @display(description="Last progress")
    def updated_at_shown(self, run: BillingRun) -> str:
        return instant_text(run.updated_at)

    @display(description="Finished")
    def finished_at_shown(self, run: BillingRun) -> str:
        return instant_text(run.finished_at)

    @display(description="Due until", ordering="due_until_at")
    def due_until_at_shown(self, run: BillingRun) -> str:
        return instant_text(run.due_until_at)

    @display(description="By", ordering="started_by")
    def by_shown(self, run: BillingRun) -> str:
        return run.started_by or "Schedule"

    @display(description="For")
    def for_shown(self, run: BillingRun) -> str:
        return str(run.subscription or "All that were due")

    @display(description="Subscriptions due")
    def due(self, run: BillingRun) -> str:
        return f"{run.due_count:,}"

    @display(description="Invoices")
    def invoices(self, run: BillingRun) -> str:
        return f"{run.billed_count:,}"

    @display(description="Parked")
    def parked(self, run: BillingRun) -> str:
        return f"{run.parked_count:,}"

    @display(description="State")
    def state(self, run: BillingRun) -> str:
        state = run.state_at(clock.real_now())
        return badge(state.label, TONES.get(state, "warning" if run.parked_count else "success"))

    @display(description="Billed")
    def amounts_shown(self, run: BillingRun) -> str:
        return " + ".join(str(one) for one in run.amounts.all()) or NOTHING

    @display(description="Still due")
    def left(self, run: BillingRun) -> str:
        left = still_due(run)
        return NOTHING if left is None else f"{left:,}"

    def get_queryset(self, request: HttpRequest) -> QuerySet[BillingRun]:
        found: QuerySet[BillingRun] = super().get_queryset(request)
        return found.select_related(
            "subscription__customer", "subscription__plan_version__plan"
        ).prefetch_related("amounts")

    # Close now

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.close_now)
        close = path("close/<int:subscription_id>/", view, name="invoices_billingrun_close")
        return [close, *super().get_urls()]

    def close_now(self, request: HttpRequest, subscription_id: int) -> HttpResponse:
        """Bill all periods of one subscription that are over."""
        if not request.user.has_perm(MAY_FINALIZE):
            raise PermissionDenied
        subscription = get_object_or_404(
            Subscription.objects.select_related("customer", "plan_version__plan"), pk=subscription_id
        )

        def act(given: dict[str, Any]) -> str:
            billed = close_periods.close_now(
                subscription=subscription, reason=given["reason"], now=clock.now()
            )
            return made_text(billed, subscription)

        question = Question(
            title="Bill what is over now?",
            text="All periods that are over and not billed yet become drafts, the oldest first. The open one goes on.",
            facts={
                "Customer": subscription.customer,
                "Plan": subscription.plan_version,
                "Billed until": instant_text(subscription.invoiced_until, subscription.time_zone),
                "Oldest open period": period_text(
                    subscription.invoiced_until, subscription.next_boundary_at, subscription.time_zone
                ),
            },
            form=ReasonForm,
            button="Bill it now",
        )
        its_admin: Any = self.admin_site.get_model_admin(Subscription)
        return ask(its_admin, request, question, act, record=subscription, is_on_offer=True)


def made_text(billed: int, subscription: Subscription) -> str:
    is_are = "is" if billed == 1 else "are"
    return f"{counted(billed, 'invoice')} {is_are} made for {subscription.customer}."


def failures_of(request: HttpRequest, run: BillingRun) -> dict[str, Any] | None:
    """What the run parked, with a way to release it."""
    rows = list(
        run.parkings.select_related("subscription__customer", "subscription__plan_version__plan").order_by(
            "id"
        )[: SHOWN + 1]
    )
    if not rows:
        return None
    return {
        "rows": [
            {
                "parked": parked,
                "period": period_text(parked.period_start, parked.period_end, parked.subscription.time_zone),
            }
            for parked in rows[:SHOWN]
        ],
        "has_more": len(rows) > SHOWN,
        "shown": SHOWN,
        "may_release": request.user.has_perm(MAY_FINALIZE),
    }


def cursor_of(request: HttpRequest, subscription: Subscription) -> dict[str, Any] | None:
    """On a subscription's page: why it is parked, or that a period is over and can be billed at once."""
    if subscription.status != Subscription.Status.ACTIVE:
        return None
    parked = parked_subscriptions().filter(subscription=subscription).first()
    is_due = subscription.next_boundary_at <= clock.now()
    if parked is None and not is_due:
        return None
    return {"parked": parked, "subscription": subscription, "may_bill": request.user.has_perm(MAY_FINALIZE)}


register_panel(
    "invoices.billingrun",
    Panel(
        10, "admin/invoices/billingrun/failures.html", "invoices.view_billingrun", failures_of, is_wide=True
    ),
)
register_panel(
    "subscriptions.subscription",
    Panel(5, "admin/invoices/billingrun/cursor.html", "invoices.view_billingrun", cursor_of, is_wide=True),
)
tenant_site.register(BillingRun, BillingRunAdmin)
