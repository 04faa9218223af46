"""Subscriptions: made by the subscribe service, afterwards read. The billing cursor is nobody's to edit."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
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
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from apps.catalog.models import Plan, PlanVersion, PriceBook
from apps.core import clock
from apps.core.admin.base import BackOfficeAdmin
from apps.core.admin.display import badge, code, instant_column, instant_text, period_text
from apps.core.admin.registry import Panel, register_panel
from apps.core.admin_sites import tenant_site
from apps.core.errors import Missing
from apps.subscriptions.admin.lookup import lookup_context
from apps.subscriptions.models import Subscription, SubscriptionPhase
from apps.subscriptions.selectors import version_for
from apps.subscriptions.services import subscribe


class NewSubscriptionForm(forms.ModelForm):
    """The plan is enough: where it is bought decides on the version, unless one is named."""

    plan = forms.ModelChoiceField(
        Plan.objects.all(), required=False, empty_label="Select value", widget=UnfoldAdminSelectWidget
    )
    storefront = forms.ChoiceField(
        choices=PriceBook.Storefront.choices,
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text="Where it is bought: decides on the price book.",
    )
    region = forms.CharField(
        max_length=10,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "EU or DE"}),
        help_text="Empty: the customer's country.",
    )

    class Meta:
        model = Subscription
        fields = ("customer", "plan_version", "started_at", "billing_anchor")
        labels = {"plan_version": "A certain version"}
        help_texts = {
            "plan_version": "Instead of the one the plan offers this customer.",
            "started_at": "UTC. May lie in the past: the periods since then are billed, the oldest first.",
            "billing_anchor": "Where its periods begin, in the customer's time zone.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "plan_version" in self.fields:
            self.fields["plan_version"].required = False

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if self.errors or cleaned.get("plan_version") is not None:
            return cleaned
        if cleaned.get("plan") is None:
            self.add_error("plan", "Choose a plan, or a certain version.")
            return cleaned
        try:
            cleaned["plan_version"] = version_for(
                customer=cleaned["customer"],
                plan_code=cleaned["plan"].code,
                storefront=cleaned["storefront"],
                region=cleaned["region"].upper(),
            )
        except Missing as missing:
            self.add_error("plan", missing.message)
        return cleaned


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

    @display(description="Plan version")
    def version_shown(self, subscription: Subscription) -> str:
        url = reverse("admin:catalog_planversion_change", args=[subscription.plan_version_id])
        return format_html('<a class="ch-link" href="{}">{}</a>', url, subscription.plan_version)

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
            return [
                (None, {"fields": ("customer", "plan", ("storefront", "region"), "plan_version")}),
                ("Periods", {"fields": ("started_at", "billing_anchor")}),
            ]
        return [
            (None, {"fields": (("customer", "version_shown"), ("state", "public_id_shown"))}),
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
        given = form.cleaned_data
        made = subscribe.subscribe(
            customer=given["customer"],
            plan_version=given["plan_version"],
            started_at=given["started_at"],
            billing_anchor=given["billing_anchor"],
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


def phases_of(request: HttpRequest, subscription: Subscription) -> dict[str, Any]:
    """The timeline: which version counted, counts and will count."""
    now = clock.now()
    phases = list(subscription.phases.select_related("plan_version__plan", "plan_version__price_book"))
    return {
        "phases": [
            {
                "version": phase.plan_version,
                "from": instant_text(phase.starts_at, subscription.time_zone),
                "until": instant_text(phase.ends_at, subscription.time_zone) if phase.ends_at else "",
                "state": state_at(now, phase),
            }
            for phase in phases
        ]
    }


def state_at(now: datetime, phase: SubscriptionPhase) -> str:
    if phase.starts_at > now:
        return "Scheduled"
    return "Current" if phase.ends_at is None or phase.ends_at > now else "Past"


register_panel(
    "subscriptions.subscription",
    Panel(
        10,
        "admin/subscriptions/subscription/phases.html",
        "subscriptions.view_subscription",
        phases_of,
        is_wide=True,
    ),
)
tenant_site.register(Subscription, SubscriptionAdmin)
