"""The prices of a plan version: rows of a form while it is a draft, a table afterwards."""

from typing import Any

from django import forms
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import TabularInline
from unfold.widgets import UnfoldAdminTextInputWidget

from apps.catalog.models import Meter, PlanVersion, Price
from apps.core.admin.display import per_million_text, rate_text
from apps.rating import plain


class PriceForm(forms.ModelForm):
    """Amounts are typed as text: a number input would round 0.0000025 on some keyboards and pads it on all."""

    class Meta:
        model = Price
        fields = ("position", "code", "name", "model", "meter", "unit_amount", "flat_amount")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("unit_amount", "flat_amount"):
            self.fields[name].widget = UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal", "size": 12})
            amount = getattr(self.instance, name)
            if amount is not None:
                self.initial[name] = plain(amount)


class PriceInline(TabularInline):
    model = Price
    form = PriceForm
    extra = 0

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "meter":
            kwargs["queryset"] = Meter.objects.filter(archived_at__isnull=True)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if isinstance(getattr(field, "widget", None), RelatedFieldWidgetWrapper):
            field.widget = field.widget.widget  # a meter is not made in the middle of a price list
        return field

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("catalog.change_planversion"))


def shown_prices(version: PlanVersion) -> list[dict[str, Any]]:
    prices: QuerySet[Price] = version.prices.select_related("meter")
    return [
        {
            "name": price.name,
            "code": price.code,
            "model": price.get_model_display(),
            "meter": price.meter,
            "amount": amount_of(price, version.currency),
            "per_million": per_million_text(price.unit_amount, version.currency),
        }
        for price in prices
    ]


def amount_of(price: Price, currency: str) -> str:
    if price.meter is None:
        return f"{rate_text(price.flat_amount, currency)} a period"
    return f"{rate_text(price.unit_amount, currency)} per {price.meter.unit}"
