"""The pages of import and export, on the list of subscriptions."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from import_export.admin import ImportExportModelAdmin
from unfold.contrib.import_export.forms import ExportForm, ImportForm

from apps.core.admin.base import BackOfficeAdmin
from apps.customers.admin.resource import FORMATS
from apps.subscriptions.admin.transfer import SubscriptionResource


class SubscriptionTransferAdmin(BackOfficeAdmin, ImportExportModelAdmin):
    resource_classes = (SubscriptionResource,)
    import_template_name = "admin/subscriptions/subscription/import.html"
    import_form_class = ImportForm
    export_form_class = ExportForm
    # The service leaves audit entries.
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
            return HttpResponseRedirect(reverse("admin:subscriptions_subscription_changelist"))
        response: HttpResponse = super().process_result(result, request)
        return response

    def add_success_message(self, result: Any, request: HttpRequest) -> None:
        totals = result.totals
        self.tell(
            request, f"Imported: {totals['new']} new subscriptions, {totals['skip']} were there already."
        )
