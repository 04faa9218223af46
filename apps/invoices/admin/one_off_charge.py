"""One-off charges: their list, their panel on a subscription's page, and how staff make and withdraw one."""

from functools import partial
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from unfold.contrib.filters.admin import AutocompleteSelectFilter, BooleanRadioFilter
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminRadioSelectWidget, UnfoldAdminTextInputWidget

from apps.core.admin.base import FactAdmin
from apps.core.admin.display import NOTHING, badge, code, instant_text, quantity_text, rate_text
from apps.core.admin.registry import Panel, register_panel
from apps.core.admin_sites import tenant_site
from apps.core.money import money_display
from apps.invoices.admin.invoice_actions import MAY_FINALIZE
from apps.invoices.charges_shown import (
    DRAFTED,
    INVOICED,
    PENDING,
    WITHDRAWN,
    invoice_of,
    state_of,
    with_invoices,
)
from apps.invoices.models import OneOffCharge
from apps.invoices.services import one_off_charges
from apps.invoices.services.one_off_lines import rated
from apps.subscriptions.admin.change_forms import ChangeForm, LocalInstantField
from apps.subscriptions.admin.changing import Change, ask_with_preview
from apps.subscriptions.models import Subscription

SHOWN = 8
WORDS = {PENDING: "To come", DRAFTED: "Drafted", INVOICED: "Invoiced", WITHDRAWN: "Withdrawn"}
TONES = {PENDING: "info", DRAFTED: "warning", INVOICED: "success", WITHDRAWN: ""}
BILLED = [("period", "With the invoice of the period"), ("at_once", "At once, with an invoice of its own")]


def known_charges(subscription: Subscription) -> str:
    """Differs as soon as one is made or withdrawn, so that what was looked at is made once."""
    return str(list(subscription.one_off_charges.order_by("id").values_list("id", "withdrawn_at")))


class ChargeForm(ChangeForm):
    amounts = ("unit_amount",)
    description = forms.CharField(
        max_length=one_off_charges.MAX_DESCRIPTION,
        widget=UnfoldAdminTextInputWidget,
        help_text="What the customer reads on the invoice.",
    )
    quantity = forms.DecimalField(
        max_digits=38,
        decimal_places=18,
        initial=1,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"}),
    )
    unit_amount = forms.DecimalField(
        max_digits=38,
        decimal_places=18,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"}),
        label="Amount for one",
    )
    billed = forms.ChoiceField(choices=BILLED, widget=UnfoldAdminRadioSelectWidget, label="Billed")
    charged_at = LocalInstantField(
        required=False,
        label="When",
        help_text="Empty: now. It is on the invoice of the period that contains it.",
    )
    field_order = ("description", "quantity", "unit_amount", "billed", "charged_at", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        currency = self.subscription.plan_version.currency
        self.fields["unit_amount"].help_text = f"In {currency}. Below zero it is a credit."
        if self.subscription.status != Subscription.Status.ACTIVE:
            self.fields["billed"].choices = BILLED[1:]  # type: ignore[attr-defined]
            self.fields["billed"].help_text = "It has ended, and gets no other invoice."

    def arguments(self) -> dict[str, Any]:
        given = super().arguments()
        given["at_once"] = given.pop("billed") == "at_once"
        return given

    def follows(self) -> list[tuple[str, str]]:
        """The sum: the invoices that follow don't tell it where it is charged in a later period."""
        given, currency = self.cleaned_data, self.subscription.plan_version.currency
        amount = rated(given["quantity"], given["unit_amount"], currency).amount
        return [("Amount in all", money_display(amount, currency))]


CHARGE = Change(
    title="Charge something once",
    text="For what no plan asks for: a workshop, a fee, or with an amount below zero a gesture of goodwill.",
    button="Charge it",
    form=ChargeForm,
    verb=one_off_charges.charge,
    done=lambda subscription: f"It is charged to {subscription.customer}.",
    known=known_charges,
)


def withdrawal(charge: OneOffCharge) -> Change:
    return Change(
        title=f"Withdraw “{charge}”",
        text=f"The charge of {charge.amount_display} is on no invoice yet, and will be on none.",
        button="Withdraw the charge",
        form=ChangeForm,
        verb=partial(one_off_charges.withdraw, charge=charge),
        done=lambda subscription: f"“{charge}” is withdrawn.",
        is_dangerous=True,
        known=lambda subscription: f"{charge.pk} {known_charges(subscription)}",
    )


class OneOffChargeAdmin(FactAdmin):
    list_title = "One-off charges"
    empty_text = "Nothing was charged once. A charge is made on the page of a subscription."
    list_display = ("description", "customer", "amount_shown", "charged_at_shown", "state", "invoice_shown")
    list_filter = (
        ("subscription__customer", AutocompleteSelectFilter),
        ("is_billed_at_once", BooleanRadioFilter),
    )
    search_fields = (
        "description", "subscription__customer__name", "=public_id", "=subscription__public_id",
    )  # fmt: skip
    search_help_text = "Description, customer, chg_… or sub_…"
    ordering = ("-id",)
    actions_detail = ("withdraw",)
    fieldsets = (
        (None, {"fields": (("description", "state"), ("customer", "subscription_shown"), "public_id_shown")}),
        ("Amount", {"fields": (("quantity_shown", "unit_amount_shown"), "amount_shown")}),
        (
            "Invoice",
            {
                "fields": (
                    ("charged_at_shown", "billed_shown"),
                    "invoice_shown",
                    "withdrawn_at_shown",
                )
            },
        ),
    )

    @display(description="Customer", ordering="subscription__customer__name")
    def customer(self, charge: OneOffCharge) -> str:
        return str(charge.subscription.customer)

    @display(description="Billed")
    def billed_shown(self, charge: OneOffCharge) -> str:
        return dict(BILLED)["at_once" if charge.is_billed_at_once else "period"]

    @display(description="Subscription")
    def subscription_shown(self, charge: OneOffCharge) -> str:
        url = reverse("admin:subscriptions_subscription_change", args=[charge.subscription_id])
        return format_html('<a class="ch-link" href="{}">{}</a>', url, charge.subscription)

    @display(description="ID")
    def public_id_shown(self, charge: OneOffCharge) -> str:
        return code(charge.public_id)

    @display(description="Quantity")
    def quantity_shown(self, charge: OneOffCharge) -> str:
        return quantity_text(charge.quantity)

    @display(description="For one")
    def unit_amount_shown(self, charge: OneOffCharge) -> str:
        return rate_text(charge.unit_amount, charge.currency)

    @display(description="Amount", ordering="amount")
    def amount_shown(self, charge: OneOffCharge) -> str:
        return charge.amount_display

    @display(description="When", ordering="charged_at")
    def charged_at_shown(self, charge: OneOffCharge) -> str:
        return instant_text(charge.charged_at, charge.subscription.time_zone)

    @display(description="Withdrawn")
    def withdrawn_at_shown(self, charge: OneOffCharge) -> str:
        return instant_text(charge.withdrawn_at, charge.subscription.time_zone) or NOTHING

    @display(description="State")
    def state(self, charge: OneOffCharge) -> str:
        state = state_of(charge)
        return badge(WORDS[state], TONES[state])

    @display(description="Invoice")
    def invoice_shown(self, charge: OneOffCharge) -> str:
        invoice = invoice_of(charge)
        if invoice is None:
            return NOTHING
        url = reverse("admin:invoices_invoice_change", args=[invoice.pk])
        return format_html('<a class="ch-link" href="{}">{}</a>', url, invoice.number or "Draft")

    def get_queryset(self, request: HttpRequest) -> QuerySet[OneOffCharge]:
        found: QuerySet[OneOffCharge] = super().get_queryset(request)
        return with_invoices(found).select_related(
            "subscription__customer", "subscription__plan_version__plan"
        )

    def is_on_offer(self, action: str, record: OneOffCharge) -> bool:
        return state_of(record) == PENDING

    @action(description="Withdraw", icon="undo", permissions=[MAY_FINALIZE])
    def withdraw(self, request: HttpRequest, object_id: str) -> HttpResponse:
        charge: OneOffCharge = self.record_of(request, object_id)
        return self.asked(request, withdrawal(charge), charge.subscription, state_of(charge) == PENDING)

    # Making one, from the subscription's page

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.charge)
        own = path("charge/<int:subscription_id>/", view, name="invoices_oneoffcharge_charge")
        return [own, *super().get_urls()]

    def charge(self, request: HttpRequest, subscription_id: int) -> HttpResponse:
        if not request.user.has_perm(MAY_FINALIZE):
            raise PermissionDenied
        subscription = get_object_or_404(
            Subscription.objects.select_related("customer", "plan_version__plan"), pk=subscription_id
        )
        return self.asked(request, CHARGE, subscription, True)

    def asked(
        self, request: HttpRequest, change: Change, subscription: Subscription, is_on_offer: bool
    ) -> HttpResponse:
        """One comes back to the subscription's page."""
        its_admin: Any = self.admin_site.get_model_admin(Subscription)
        return ask_with_preview(its_admin, request, change, subscription, is_on_offer=is_on_offer)


def charges_of(request: HttpRequest, subscription: Subscription) -> dict[str, Any]:
    charges = with_invoices(subscription.one_off_charges.all()).order_by("-id")[:SHOWN]
    return {
        "subscription": subscription,
        "may_charge": request.user.has_perm(MAY_FINALIZE),
        "rows": [
            {
                "charge": charge,
                "at": instant_text(charge.charged_at, subscription.time_zone),
                "state": WORDS[state_of(charge)],
                "invoice": invoice_of(charge),
            }
            for charge in charges
        ],
    }


register_panel(
    "subscriptions.subscription",
    Panel(
        35,
        "admin/invoices/oneoffcharge/of_subscription.html",
        "invoices.view_invoice",
        charges_of,
        is_wide=True,
    ),
)
tenant_site.register(OneOffCharge, OneOffChargeAdmin)
