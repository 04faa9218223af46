"""On the pages of a customer and of a subscription: who changed what about them and what is theirs, and why."""

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest

from apps.audit.models import AuditEntry
from apps.core.admin.display import instant_text
from apps.core.admin.registry import Panel, register_panel
from apps.customers.models import Customer
from apps.invoices.models import Invoice
from apps.subscriptions.models import Subscription

SHOWN = 8


def about(model: str, public_ids: Any) -> Q:
    return Q(target_type=model, target_id__in=public_ids)


def of_customer(request: HttpRequest, customer: Customer) -> dict[str, Any]:
    subscriptions = Subscription.objects.filter(customer=customer).order_by().values("public_id")
    invoices = Invoice.objects.filter(customer=customer).order_by().values("public_id")
    return told(
        AuditEntry.objects.filter(
            about("customers.customer", [customer.public_id])
            | about("subscriptions.subscription", subscriptions)
            | about("invoices.invoice", invoices)
        )
    )


def of_subscription(request: HttpRequest, subscription: Subscription) -> dict[str, Any]:
    invoices = Invoice.objects.filter(subscription=subscription).order_by().values("public_id")
    return told(
        AuditEntry.objects.filter(
            about("subscriptions.subscription", [subscription.public_id])
            | about("invoices.invoice", invoices)
        )
    )


def told(entries: QuerySet[AuditEntry]) -> dict[str, Any]:
    return {
        "entries": [
            {
                "pk": one.pk,
                "at": instant_text(one.at),
                "action": one.action.replace(".", " ").replace("_", " ").capitalize(),
                "target": one.target_label,
                "actor": one.actor or one.get_actor_kind_display(),
                "reason": one.reason,
            }
            for one in entries.order_by("-id")[:SHOWN]
        ]
    }


register_panel(
    "customers.customer",
    Panel(50, "admin/audit/history.html", "audit.view_auditentry", of_customer, is_wide=True),
)
register_panel(
    "subscriptions.subscription",
    Panel(40, "admin/audit/history.html", "audit.view_auditentry", of_subscription, is_wide=True),
)
