"""The pages of import and export, on the list of subscriptions."""

from typing import Any

from django.http import HttpRequest

from apps.core.admin.transfer import TransferAdmin
from apps.subscriptions.admin.transfer import SubscriptionResource


class SubscriptionTransferAdmin(TransferAdmin):
    resource_classes = (SubscriptionResource,)
    import_template_name = "admin/subscriptions/subscription/import.html"

    def add_success_message(self, result: Any, request: HttpRequest) -> None:
        totals = result.totals
        self.tell(
            request, f"Imported: {totals['new']} new subscriptions, {totals['skip']} were there already."
        )
