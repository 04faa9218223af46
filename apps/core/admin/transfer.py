"""Import and export on a list: what every such page does the same way."""

from collections.abc import Collection
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from import_export.admin import ImportExportModelAdmin
from import_export.formats import base_formats
from unfold.contrib.import_export.forms import ExportForm, ImportForm

from apps.core.admin.base import BackOfficeAdmin

# XLSX joins when its library is installed.
FORMATS = [
    format_class
    for format_class in (base_formats.CSV, base_formats.XLSX, base_formats.JSON)
    if format_class.is_available()
]
ROWS_AT_MOST = 5_000


def refuse_file(dataset: Any, *, needed: Collection[str], known: Collection[str]) -> None:
    """Before its rows are read. Raises `ValueError`; a misspelt column must not be ignored in silence."""
    if len(dataset) > ROWS_AT_MOST:
        raise ValueError(f"At most {ROWS_AT_MOST:,} rows at once.")
    headers = dataset.headers or []
    missing = [name for name in needed if name not in headers]
    if missing:
        raise ValueError(f"The file lacks the columns {', '.join(missing)}.")
    unknown = [str(name) for name in headers if name not in known]
    if unknown:
        raise ValueError(f"The file has unknown columns: {', '.join(unknown)}.")


class TransferAdmin(BackOfficeAdmin, ImportExportModelAdmin):
    import_form_class = ImportForm
    export_form_class = ExportForm
    # The services leave audit entries.
    skip_admin_log = True

    def get_import_formats(self) -> Any:
        return FORMATS

    def get_export_formats(self) -> Any:
        return FORMATS

    def has_import_permission(self, request: HttpRequest) -> bool:
        return bool(self.has_add_permission(request))

    def has_export_permission(self, request: HttpRequest) -> bool:
        return bool(self.has_view_permission(request))

    def process_result(self, result: Any, request: HttpRequest) -> HttpResponse:
        """Something may have happened between the look and the import: then nothing has changed."""
        if result.has_errors():
            first = next(
                (errors[0].error for _, errors in result.row_errors() if errors), "The file can't be read."
            )
            self.tell(request, f"Nothing was imported: {first}", refused=True)
            name = f"{self.opts.app_label}_{self.opts.model_name}"
            return HttpResponseRedirect(reverse(f"admin:{name}_changelist"))
        response: HttpResponse = super().process_result(result, request)
        return response
