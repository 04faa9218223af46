"""Which prices somebody sees: every candidate in the order in which it is asked, and why not."""

from typing import Any

from django import forms
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from apps.catalog.models import Plan, PriceBook
from apps.catalog.selectors import Buyer
from apps.core.errors import Missing
from apps.core.validators import validate_currency
from apps.customers.models import Customer
from apps.customers.selectors import customer_by_reference
from apps.subscriptions.lookup import Lookup, look_up


class Upper(forms.CharField):
    def to_python(self, value: Any) -> str:
        return str(super().to_python(value) or "").upper()


class LookupForm(forms.Form):
    plan = forms.ModelChoiceField(
        Plan.objects.all(), empty_label="Select value", widget=UnfoldAdminSelectWidget
    )
    storefront = forms.ChoiceField(
        choices=PriceBook.Storefront.choices, required=False, widget=UnfoldAdminSelectWidget
    )
    region = Upper(
        max_length=10, required=False, widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "EU or DE"})
    )
    currency = Upper(
        max_length=3,
        required=False,
        validators=[validate_currency],
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "USD"}),
    )
    customer = forms.CharField(
        max_length=127,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "External ID or cus_…"}),
        help_text="Brings a currency, a country and negotiated prices.",
    )

    def clean_customer(self) -> Customer | None:
        reference: str = self.cleaned_data["customer"]
        try:
            return customer_by_reference(reference) if reference else None
        except Missing as missing:
            raise forms.ValidationError(missing.message) from missing


def lookup_context(request: HttpRequest) -> dict[str, Any]:
    """The form, and the answer when it was asked."""
    plans = Plan.objects.values_list("pk", flat=True)[:2]
    asked = "plan" in request.GET
    form = LookupForm(request.GET if asked else None, initial={"plan": plans[0] if len(plans) == 1 else None})
    if not asked or not form.is_valid():
        return {"form": form, "answer": None}
    given = form.cleaned_data
    buyer = Buyer(given["storefront"], given["region"], given["currency"])
    answer = look_up(plan=given["plan"], buyer=buyer, customer=given["customer"])
    return {
        "form": form,
        "answer": answer,
        "asked_as": asked_as(answer, given["customer"]),
        "rows": rows_of(answer),
    }


def asked_as(answer: Lookup, customer: Customer | None) -> str:
    """In words, who was looked up."""
    buyer = answer.buyer
    store = PriceBook.Storefront(buyer.storefront).label if buyer.storefront else "any storefront"
    parts = [f"{customer}" if customer else "Somebody", f"buying at {store}"]
    parts.append(f"in {buyer.region}" if buyer.region else "of no known region")
    parts.append(f"paying in {buyer.currency}" if buyer.currency else "whose currency is still open")
    return ", ".join(parts)


def rows_of(answer: Lookup) -> list[dict[str, Any]]:
    return [
        {
            "version": row.version,
            "is_chosen": row.is_chosen,
            "reason": row.reason,
            "book": row.version.price_book,
            "is_negotiated": row.version.is_negotiated,
        }
        for row in answer.rows
    ]
