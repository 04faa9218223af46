"""The queue of subscriptions that can't be billed: why, since when, and how to let them go on."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from apps.core import clock
from apps.core.admin.base import FactAdmin
from apps.core.admin.confirmation import Question, ask, page_of
from apps.core.admin.display import age_text, badge, code, counted, instant_text, period_text
from apps.core.admin_sites import tenant_site
from apps.invoices.admin.billing_run import made_text
from apps.invoices.admin.invoice_actions import MAY_FINALIZE, ReasonForm
from apps.invoices.due import parked_subscriptions
from apps.invoices.models import ParkedSubscription
from apps.invoices.services import close_periods, park_subscription

RELEASE = (
    "It is tried again at the next run, within a minute. When it still can't be billed it is parked anew."
)


class StateFilter(DropdownFilter):
    """What waits comes first: the released ones are asked for."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("parked", "Parked"), ("released", "Released")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() not in ("parked", "released"):
            return queryset
        return queryset.filter(released_at__isnull=self.value() == "parked")


class ParkedSubscriptionAdmin(FactAdmin):
    empty_text = "Every subscription can be billed. One that can't is listed here with the reason."
    list_display = ("customer", "plan", "period_shown", "why", "state", "age", "tries")
    list_filter = (StateFilter, ("kind", ChoicesDropdownFilter))
    list_select_related = ("subscription__customer", "subscription__plan_version__plan")
    search_fields = (
        "subscription__customer__name", "subscription__customer__external_id", "=subscription__public_id", "=code",
    )  # fmt: skip
    search_help_text = "Customer, sub_… or code"
    ordering = ("-released_at", "parked_at", "id")
    actions = ("release_selected",)
    actions_list = ("release_all",)
    actions_detail = ("release", "retry")
    fieldsets = (
        (
            None,
            {"fields": (("customer", "plan"), ("period_shown", "kind"), ("state", "subscription_shown"))},
        ),
        ("Why", {"fields": (("code_shown", "tries"), "message", ("parked_at_shown", "run"))}),
    )

    @display(description="Customer", ordering="subscription__customer__name")
    def customer(self, parked: ParkedSubscription) -> str:
        return str(parked.subscription.customer)

    @display(description="Plan")
    def plan(self, parked: ParkedSubscription) -> str:
        return str(parked.subscription.plan_version)

    @display(description="Subscription")
    def subscription_shown(self, parked: ParkedSubscription) -> str:
        url = reverse("admin:subscriptions_subscription_change", args=[parked.subscription_id])
        return format_html('<a class="ch-link" href="{}">{}</a>', url, parked.subscription)

    @display(description="Period", ordering="period_start")
    def period_shown(self, parked: ParkedSubscription) -> str:
        return period_text(parked.period_start, parked.period_end, parked.subscription.time_zone)

    @display(description="Why", ordering="code")
    def why(self, parked: ParkedSubscription) -> str:
        return parked.message

    @display(description="Code")
    def code_shown(self, parked: ParkedSubscription) -> str:
        return code(parked.code)

    @display(description="State", ordering="released_at")
    def state(self, parked: ParkedSubscription) -> str:
        return badge("Parked", "danger") if parked.is_open else badge("Released", "success")

    @display(description="For", ordering="parked_at")
    def age(self, parked: ParkedSubscription) -> str:
        return age_text(parked.parked_at, parked.released_at or clock.now())

    @display(description="Since")
    def parked_at_shown(self, parked: ParkedSubscription) -> str:
        return instant_text(parked.parked_at)

    @display(description="Released")
    def released_at_shown(self, parked: ParkedSubscription) -> str:
        return instant_text(parked.released_at)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ParkedSubscription]:
        found: QuerySet[ParkedSubscription] = super().get_queryset(request)
        return found.select_related("subscription__customer", "subscription__plan_version__plan", "run")

    def get_fieldsets(self, request: HttpRequest, obj: ParkedSubscription | None = None) -> Any:
        if obj is None or obj.is_open:
            return self.fieldsets
        return (*self.fieldsets, ("Released", {"fields": (("released_at_shown", "release_reason"),)}))

    def is_on_offer(self, action: str, record: ParkedSubscription) -> bool:
        return record.is_open

    def has_release_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm(MAY_FINALIZE))

    def facts_of(self, parked: ParkedSubscription) -> dict[str, Any]:
        return {
            "Customer": parked.subscription.customer,
            "Plan": parked.subscription.plan_version,
            "Period": self.period_shown(parked),
            "Why": parked.message,
            "Tried": counted(parked.tries, "time"),
        }

    @action(
        description="Release", icon="lock_open", variant=ActionVariant.PRIMARY, permissions=[MAY_FINALIZE]
    )
    def release(self, request: HttpRequest, object_id: str) -> HttpResponse:
        parked: ParkedSubscription = self.record_of(request, object_id)

        def act(given: dict[str, Any]) -> str:
            park_subscription.release_parked(parked=parked, reason=given["reason"], now=clock.now())
            return f"{parked.subscription} is released."

        question = Question(
            title="Release the subscription?",
            text=RELEASE,
            facts=self.facts_of(parked),
            form=ReasonForm,
            button="Release it",
        )
        return ask(self, request, question, act, record=parked)

    @action(description="Release and bill now", icon="replay", permissions=[MAY_FINALIZE])
    def retry(self, request: HttpRequest, object_id: str) -> HttpResponse:
        parked: ParkedSubscription = self.record_of(request, object_id)

        def act(given: dict[str, Any]) -> str:
            now = clock.now()
            park_subscription.release_parked(parked=parked, reason=given["reason"], now=now)
            billed = close_periods.close_now(
                subscription=parked.subscription, reason=given["reason"], now=now
            )
            again = parked_subscriptions().filter(subscription=parked.subscription).first()
            if again is not None:
                return f"It is parked again: {again.message}"
            return made_text(billed, parked.subscription)

        question = Question(
            title="Release the subscription and bill it now?",
            text="All its periods that are over become drafts, the oldest first.",
            facts=self.facts_of(parked),
            form=ReasonForm,
            button="Bill it",
        )
        return ask(self, request, question, act, record=parked)

    @action(description="Release all", icon="lock_open", permissions=[MAY_FINALIZE])
    def release_all(self, request: HttpRequest) -> HttpResponse:
        return self.ask_to_release(request, parked_subscriptions())

    @action(description="Release selected subscriptions", permissions=["release"])
    def release_selected(self, request: HttpRequest, queryset: QuerySet[ParkedSubscription]) -> HttpResponse:
        names = ("action", "_selected_action", "select_across", "index")
        hidden = [(name, value) for name in names for value in request.POST.getlist(name)]
        return self.ask_to_release(
            request, queryset.filter(released_at__isnull=True), hidden, "confirmed" in request.POST
        )

    def ask_to_release(
        self,
        request: HttpRequest,
        wanted: QuerySet[ParkedSubscription],
        hidden: list[tuple[str, str]] | None = None,
        is_answered: bool | None = None,
    ) -> HttpResponse:
        count = wanted.count()
        if not count:
            self.tell(request, "None of them is parked any more: there is nothing to release.", refused=True)
            return HttpResponseRedirect(page_of(self))

        def act(given: dict[str, Any]) -> str:
            released = park_subscription.release_all(reason=given["reason"], now=clock.now(), wanted=wanted)
            return f"{counted(released, 'subscription')} released."

        question = Question(
            title=f"Release {counted(count, 'subscription')}?",
            text=RELEASE,
            facts={"Parked": f"{count:,}"},
            form=ReasonForm,
            button="Release it" if count == 1 else "Release them",
            hidden=hidden or [],
        )
        return ask(self, request, question, act, is_answered=is_answered)


tenant_site.register(ParkedSubscription, ParkedSubscriptionAdmin)
