"""Subscriptions: made by the subscribe service, afterwards read. The billing cursor is nobody's to edit."""

from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    RelatedDropdownFilter,
)
from unfold.decorators import display

from apps.catalog.models import Plan, PlanVersion
from apps.core import clock
from apps.core.admin.display import NOTHING, badge, code, instant_column, instant_text
from apps.core.admin_sites import tenant_site
from apps.core.money import money_display
from apps.subscriptions.admin.actions import SubscriptionActions
from apps.subscriptions.admin.lookup import lookup_context
from apps.subscriptions.admin.new_subscription import NewSubscriptionForm
from apps.subscriptions.admin.team_billing import TeamBillingPages
from apps.subscriptions.admin.transfer_pages import SubscriptionTransferAdmin
from apps.subscriptions.admin.wording import open_period_text
from apps.subscriptions.models import Subscription
from apps.subscriptions.outline import phase_at, state_of, with_phases
from apps.subscriptions.services import subscribe

TONES = {"Trial": "info", "Paused": "warning", "Cancelled": "warning"}


class SubscriptionAdmin(SubscriptionActions, SubscriptionTransferAdmin, TeamBillingPages):
    form = NewSubscriptionForm
    list_display = (
        "customer",
        "plan_shown",
        "seats",
        "state",
        "billing_anchor",
        "started_at_shown",
        "open_period_shown",
    )
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("customer", AutocompleteSelectFilter),
        ("plan_version__plan", RelatedDropdownFilter),
    )
    list_select_related = ("customer", "plan_version__plan")
    search_fields = ("customer__name", "customer__external_id", "=public_id", "plan_version__plan__name")
    search_help_text = "Customer, plan or sub_…"
    autocomplete_fields = ("customer",)
    ordering = ("-id",)
    actions = None

    started_at_shown = instant_column("started_at", "Started")

    @display(description="Plan", ordering="plan_version__plan__name")
    def plan_shown(self, subscription: Subscription) -> str:
        return str(subscription.plan_version)

    @display(description="Seats")
    def seats(self, subscription: Subscription) -> str:
        return f"{phase_at(subscription, clock.now()).quantity:,}"

    @display(description="Plan version")
    def version_shown(self, subscription: Subscription) -> str:
        url = reverse("admin:catalog_planversion_change", args=[subscription.plan_version_id])
        return format_html('<a class="ch-link" href="{}">{}</a>', url, subscription.plan_version)

    @display(description="Status", ordering="status")
    def state(self, subscription: Subscription) -> str:
        state = state_of(subscription, clock.now())
        return badge(state, TONES.get(state, ""))

    @display(description="Ends")
    def ends_local(self, subscription: Subscription) -> str:
        if subscription.ends_at is None:
            return "Until it is cancelled"
        end = instant_text(subscription.ends_at, subscription.time_zone)
        return f"{end}. {subscription.get_unused_display()}."

    @display(description="Why it ends")
    def why(self, subscription: Subscription) -> str:
        return subscription.cancellation_reason or NOTHING

    @display(description="Periods begin")
    def anchor_shown(self, subscription: Subscription) -> str:
        label = subscription.get_billing_anchor_display()
        return f"{label}: {subscription.billing_day}" if subscription.billing_day else label

    @display(description="Open period", ordering="next_boundary_at")
    def open_period_shown(self, subscription: Subscription) -> str:
        return open_period_text(subscription)

    @display(description="Billed until")
    def invoiced_until_shown(self, subscription: Subscription) -> str:
        return instant_text(subscription.invoiced_until, subscription.time_zone)

    @display(description="Next bill after")
    def next_boundary_at_shown(self, subscription: Subscription) -> str:
        if subscription.status != Subscription.Status.ACTIVE:
            return NOTHING
        return instant_text(subscription.next_boundary_at, subscription.time_zone)

    @display(description="Threshold")
    def threshold_shown(self, subscription: Subscription) -> str:
        threshold = subscription.billing_threshold
        if threshold is None:
            return "None: usage is billed at the end of its period"
        return f"Usage is billed at {money_display(threshold, subscription.plan_version.currency)} unbilled"

    @display(description="Started")
    def started_local(self, subscription: Subscription) -> str:
        return instant_text(subscription.started_at, subscription.time_zone)

    @display(description="ID")
    def public_id_shown(self, subscription: Subscription) -> str:
        return code(subscription.public_id)

    def get_queryset(self, request: HttpRequest) -> Any:
        return with_phases(super().get_queryset(request))

    def get_fieldsets(self, request: HttpRequest, obj: Subscription | None = None) -> Any:
        if obj is None:
            return [
                (
                    None,
                    {"fields": ("customer", "plan", ("storefront", "region"), "plan_version", "quantity")},
                ),
                ("Periods", {"fields": ("started_at", ("billing_anchor", "billing_day"))}),
                ("Trial", {"fields": (("trial_days", "trial_covers"), "trial_end")}),
                ("Billing ahead", {"fields": ("billing_threshold",)}),
            ]
        ending = ("ends_local", "why") if obj.ends_at else ("ends_local",)
        return [
            (None, {"fields": (("customer", "version_shown"), ("state", "public_id_shown"), ending)}),
            (
                "Periods",
                {"fields": (("anchor_shown", "time_zone"), ("started_local", "open_period_shown"))},
            ),
            (
                "Billing cursor",
                {"fields": (("invoiced_until_shown", "next_boundary_at_shown"), "threshold_shown")},
            ),
        ]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        initial.setdefault("started_at", clock.now().astimezone(ZoneInfo("UTC")).replace(microsecond=0))
        return initial

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "plan_version":
            kwargs["queryset"] = PlanVersion.objects.filter(
                status=PlanVersion.Status.PUBLISHED, plan__kind=Plan.Kind.PLAN
            ).select_related("plan")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Subscription, form: Any, change: bool) -> None:
        given = form.cleaned_data
        made = subscribe.subscribe(
            customer=given["customer"],
            plan_version=given["plan_version"],
            started_at=given["started_at"],
            billing_anchor=given["billing_anchor"],
            billing_day=given["billing_day"],
            quantity=1 if given["quantity"] is None else given["quantity"],
            trial_days=given["trial_days"],
            trial_covers=given["trial_covers"] or None,
            trial_end=given["trial_end"] or subscribe.TrialEnd.CONTINUE,
            billing_threshold=given["billing_threshold"],
            now=clock.now(),
        )
        obj.pk, obj.public_id = made.pk, made.public_id
        obj.plan_version = made.plan_version

    def response_add(
        self, request: HttpRequest, obj: Subscription, post_url_continue: str | None = None
    ) -> HttpResponse:
        self.tell(request, f"{obj.customer} is subscribed to {obj.plan_version}.")
        return HttpResponseRedirect(reverse("admin:subscriptions_subscription_change", args=[obj.pk]))

    # Which prices somebody sees

    def get_urls(self) -> list[URLPattern]:
        look = path(
            "lookup/", self.admin_site.admin_view(self.lookup), name="subscriptions_subscription_lookup"
        )
        return [look, *super().get_urls()]

    def lookup(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request) or not request.user.has_perm("catalog.view_planversion"):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": "Price look-up",
            "opts": self.opts,
            **lookup_context(request),
        }
        return TemplateResponse(request, "admin/subscriptions/lookup.html", context)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:
        """The service has recorded it."""


tenant_site.register(Subscription, SubscriptionAdmin)
