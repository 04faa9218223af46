"""Subscriptions: made by the subscribe service, afterwards read. The billing cursor is nobody's to edit."""

from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.http import HttpRequest
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    RelatedDropdownFilter,
)
from unfold.decorators import display

from apps.catalog.models import PlanVersion
from apps.core import clock
from apps.core.admin.base import BackOfficeAdmin
from apps.core.admin.display import badge, code, instant_column, instant_text, period_text
from apps.core.admin_sites import tenant_site
from apps.subscriptions.models import Subscription
from apps.subscriptions.services import subscribe

# The form's field for what the service names in the API's words.
FIELD_OF = {"/plan": "/plan_version"}


class NewSubscriptionForm(forms.ModelForm):
    class Meta:
        model = Subscription
        fields = ("customer", "plan_version", "started_at", "billing_anchor")
        help_texts = {
            "started_at": "UTC. May lie in the past: the periods since then are billed, the oldest first.",
            "billing_anchor": "Where its periods begin, in the customer's time zone.",
        }


class SubscriptionAdmin(BackOfficeAdmin):
    form = NewSubscriptionForm
    list_display = (
        "customer",
        "plan_shown",
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

    @display(description="Status", ordering="status")
    def state(self, subscription: Subscription) -> str:
        return badge(subscription.get_status_display())

    @display(description="Open period", ordering="next_boundary_at")
    def open_period_shown(self, subscription: Subscription) -> str:
        return period_text(subscription.invoiced_until, subscription.next_boundary_at, subscription.time_zone)

    @display(description="Billed until")
    def invoiced_until_shown(self, subscription: Subscription) -> str:
        return instant_text(subscription.invoiced_until, subscription.time_zone)

    @display(description="Next bill after")
    def next_boundary_at_shown(self, subscription: Subscription) -> str:
        return instant_text(subscription.next_boundary_at, subscription.time_zone)

    @display(description="Started")
    def started_local(self, subscription: Subscription) -> str:
        return instant_text(subscription.started_at, subscription.time_zone)

    @display(description="ID")
    def public_id_shown(self, subscription: Subscription) -> str:
        return code(subscription.public_id)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("customer", "plan_version__plan")

    def get_fieldsets(self, request: HttpRequest, obj: Subscription | None = None) -> Any:
        if obj is None:
            return [(None, {"fields": ("customer", "plan_version", "started_at", "billing_anchor")})]
        return [
            (None, {"fields": (("customer", "plan_version"), ("state", "public_id_shown"))}),
            (
                "Periods",
                {"fields": (("billing_anchor", "time_zone"), ("started_local", "open_period_shown"))},
            ),
            ("Billing cursor", {"fields": (("invoiced_until_shown", "next_boundary_at_shown"),)}),
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
                status=PlanVersion.Status.PUBLISHED
            ).select_related("plan")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Subscription, form: Any, change: bool) -> None:
        made = subscribe.subscribe(**form.cleaned_data, now=clock.now())
        obj.pk, obj.public_id = made.pk, made.public_id

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:
        """The service has recorded it."""

    def field_of(self, param: str) -> str:
        return FIELD_OF.get(param, param)


tenant_site.register(Subscription, SubscriptionAdmin)
