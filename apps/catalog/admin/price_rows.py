"""The rows of a price on its page: tiers and filters."""

from typing import Any

from django.db.models import DecimalField
from django.http import HttpRequest
from unfold.admin import TabularInline

from apps.catalog.admin.price_form import FilterForm, FilterFormSet, PlainDecimal, TierForm, TierFormSet
from apps.catalog.models import Price, PriceFilter, PriceTier


def may_edit(request: HttpRequest, price: Price | None) -> bool:
    """Whoever may change prices, as long as the version is a draft."""
    if not request.user.has_perm("catalog.change_price"):
        return False
    return price is None or price.plan_version_id is None or price.plan_version.is_draft


class PriceRows(TabularInline):
    """Whoever may change the price may change its rows."""

    extra = 0
    hide_title = True

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if isinstance(db_field, DecimalField):
            return db_field.formfield(**kwargs, form_class=PlainDecimal)
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_edit(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_edit(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_edit(request, obj)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_edit(request, obj)


class TierInline(PriceRows):
    model = PriceTier
    form = TierForm
    formset = TierFormSet
    verbose_name = "tier"
    fields = ("up_to", "unit_amount", "rate", "flat_amount")


class FilterInline(PriceRows):
    model = PriceFilter
    form = FilterForm
    formset = FilterFormSet
    verbose_name = "filter"
    verbose_name_plural = "filters: only usage with these dimension values"
    fields = ("dimension", "values")
