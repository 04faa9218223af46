"""The pages of import and export, on the list of plan versions."""

from typing import Any

from django.http import HttpRequest

from apps.catalog.admin.transfer import PriceResource
from apps.core.admin.transfer import TransferAdmin


class PriceTransferAdmin(TransferAdmin):
    """Of plan versions."""

    resource_classes = (PriceResource,)
    import_template_name = "admin/catalog/planversion/import.html"

    def has_import_permission(self, request: HttpRequest) -> bool:
        needed = ("add_plan", "add_planversion", "change_planversion", "add_price", "change_price")
        return all(request.user.has_perm(f"catalog.{name}") for name in needed)

    def has_export_permission(self, request: HttpRequest) -> bool:
        return super().has_export_permission(request) and bool(request.user.has_perm("catalog.view_price"))

    def add_success_message(self, result: Any, request: HttpRequest) -> None:
        totals = result.totals
        self.tell(
            request,
            f"Imported into drafts: {totals['new']} new prices, {totals['update']} changed, {totals['delete']} removed,"
            f" {totals['skip']} unchanged.",
        )
