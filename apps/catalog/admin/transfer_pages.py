"""The pages of import and export, on the list of plan versions."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from import_export.admin import ImportExportModelAdmin
from unfold.contrib.import_export.forms import ExportForm, ImportForm

from apps.catalog.admin.transfer import FORMATS, PriceResource
from apps.core.admin.base import BackOfficeAdmin


class PriceTransferAdmin(BackOfficeAdmin, ImportExportModelAdmin):
    """Of plan versions."""

    resource_classes = (PriceResource,)
    import_template_name = "admin/catalog/planversion/import.html"
    import_form_class = ImportForm
    export_form_class = ExportForm
    # The services leave audit entries.
    skip_admin_log = True

    def get_import_formats(self) -> Any:
        return FORMATS

    def get_export_formats(self) -> Any:
        return FORMATS

    def has_import_permission(self, request: HttpRequest) -> bool:
        needed = ("add_plan", "add_planversion", "change_planversion", "add_price", "change_price")
        return all(request.user.has_perm(f"catalog.{name}") for name in needed)

    def has_export_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) and bool(request.user.has_perm("catalog.view_price"))

    def process_result(self, result: Any, request: HttpRequest) -> HttpResponse:
        """Something may have been published between the look and the import: then nothing has changed."""
        if result.has_errors():
            first = next(
                (errors[0].error for _, errors in result.row_errors() if errors), "The file can't be read."
            )
            self.tell(request, f"Nothing was imported: {first}", refused=True)
            return HttpResponseRedirect(reverse("admin:catalog_planversion_changelist"))
        response: HttpResponse = super().process_result(result, request)
        return response

    def add_success_message(self, result: Any, request: HttpRequest) -> None:
        totals = result.totals
        self.tell(
            request,
            f"Imported into drafts: {totals['new']} new prices, {totals['update']} changed, {totals['delete']} removed,"
            f" {totals['skip']} unchanged.",
        )
