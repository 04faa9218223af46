"""Price books: for which storefront, region and currency a plan has prices of its own."""

from typing import Any

from django.db.models import Count, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from apps.catalog.models import PlanVersion, PriceBook
from apps.core.admin.base import BackOfficeAdmin
from apps.core.admin.display import code
from apps.core.admin.registry import Panel, register_panel
from apps.core.admin_sites import tenant_site

ANY = "Any"
VERSIONS_SHOWN = 50


class PriceBookAdmin(BackOfficeAdmin):
    list_display = ("name", "code_shown", "storefront_shown", "region_shown", "currency", "version_count")
    list_filter = (("storefront", ChoicesDropdownFilter),)
    search_fields = ("name", "code", "region", "currency")
    search_help_text = "Name, code, region or currency"
    list_before_template = "admin/catalog/pricebook/lookup_link.html"
    actions = None
    fieldsets = (
        (None, {"fields": ("name", "code")}),
        ("Whom it is for", {"fields": ("storefront", "region", "currency")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[PriceBook]:
        queryset: QuerySet[PriceBook] = super().get_queryset(request)
        return queryset.annotate(versions_counted=Count("versions"))

    @display(description="Code", ordering="code")
    def code_shown(self, book: PriceBook) -> str:
        return code(book.code)

    @display(description="Storefront", ordering="storefront")
    def storefront_shown(self, book: PriceBook) -> str:
        return book.get_storefront_display() if book.storefront else ANY

    @display(description="Region", ordering="region")
    def region_shown(self, book: PriceBook) -> str:
        return book.region or ANY

    @display(description="Plan versions", ordering="versions_counted")
    def version_count(self, book: Any) -> int:
        return int(book.versions_counted)

    def get_readonly_fields(self, request: HttpRequest, obj: PriceBook | None = None) -> tuple[str, ...]:
        """A book with prices in it stays where it is: those who bought from it bought there."""
        if obj is None:
            return ()
        is_used = obj.versions.exists()
        return ("code", "storefront", "region", "currency") if is_used else ("code",)


def versions_in(request: HttpRequest, book: PriceBook) -> dict[str, Any]:
    versions = (
        PlanVersion.objects.filter(price_book=book).select_related("plan").order_by("plan__name", "-number")
    )
    return {"versions": list(versions[:VERSIONS_SHOWN])}


register_panel(
    "catalog.pricebook",
    Panel(10, "admin/catalog/pricebook/versions.html", "catalog.view_planversion", versions_in, is_wide=True),
)
tenant_site.register(PriceBook, PriceBookAdmin)
