"""Products and features: what is sold, in the words of those who sell it."""

from typing import Any

from django.db.models import Count, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from apps.catalog.models import Feature, Product
from apps.core.admin.base import BackOfficeAdmin
from apps.core.admin.display import NOTHING, code, instant_column
from apps.core.admin.registry import Panel, register_panel
from apps.core.admin_sites import tenant_site


class NamedAdmin(BackOfficeAdmin):
    """A name, a code that never changes, a description."""

    search_fields = ("name", "code")
    search_help_text = "Name or code"
    actions = None

    created_at_shown = instant_column("created_at", "Created")

    @display(description="Code", ordering="code")
    def code_shown(self, record: Any) -> str:
        return code(record.code)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return () if obj is None else ("code",)


class ProductAdmin(NamedAdmin):
    list_display = ("name", "code_shown", "plan_count", "created_at_shown")
    fields = ("name", "code", "description")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Product]:
        queryset: QuerySet[Product] = super().get_queryset(request)
        return queryset.annotate(plans_counted=Count("plans"))

    @display(description="Plans", ordering="plans_counted")
    def plan_count(self, product: Any) -> int:
        return int(product.plans_counted)


class FeatureAdmin(NamedAdmin):
    list_display = ("name", "code_shown", "meter_shown", "created_at_shown")
    list_filter = (("meter", RelatedDropdownFilter),)
    list_select_related = ("meter",)
    fields = ("name", "code", "description", "meter")

    @display(description="Measured by", ordering="meter__name")
    def meter_shown(self, feature: Feature) -> str:
        return str(feature.meter) if feature.meter else NOTHING


def plans_of(request: HttpRequest, product: Product) -> dict[str, Any] | None:
    plans = list(product.plans.all())
    return {"plans": plans} if plans else None


register_panel(
    "catalog.product",
    Panel(10, "admin/catalog/product/plans.html", "catalog.view_plan", plans_of, is_wide=True),
)
tenant_site.register(Product, ProductAdmin)
tenant_site.register(Feature, FeatureAdmin)
