"""The sidebar, grouped the way the business reads. Items a person may not see are left out."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from apps.core import schema
from apps.core.admin.registry import count_text

# Title, icon, app and model, and the name of the count on its badge.
Item = tuple[str, str, str, str]
TENANT: list[tuple[str, list[Item]]] = [
    (
        "Billing",
        [
            ("Customers", "groups", "customers.customer", ""),
            ("Subscriptions", "autorenew", "subscriptions.subscription", ""),
            ("Invoices", "receipt_long", "invoices.invoice", "drafts"),
            ("One-off charges", "add_card", "invoices.oneoffcharge", ""),
            ("Billing runs", "event_repeat", "invoices.billingrun", ""),
            ("Parked subscriptions", "report", "invoices.parkedsubscription", ""),
        ],
    ),
    (
        "Usage",
        [
            ("Events", "bolt", "usage.usageevent", ""),
            ("Quarantine", "front_hand", "usage.quarantinedevent", "quarantine"),
            ("Imports", "upload_file", "usage.usageimport", ""),
            ("Corrections", "edit_note", "usage.usagecorrection", ""),
            ("Backfills", "history", "usage.usagebackfill", ""),
            ("Meter backfills", "avg_pace", "usage.meterbackfill", ""),
            ("Partitions", "inventory_2", "usage.archivedpartition", ""),
        ],
    ),
    (
        "Catalog",
        [
            ("Meters", "speed", "catalog.meter", ""),
            ("Plans", "sell", "catalog.plan", ""),
            ("Plan versions", "history_edu", "catalog.planversion", ""),
            ("Price books", "menu_book", "catalog.pricebook", ""),
            ("Negotiated prices", "handshake", "subscriptions.negotiatedversion", ""),
            ("Products", "category", "catalog.product", ""),
            ("Features", "extension", "catalog.feature", ""),
        ],
    ),
    (
        "Settings",
        [
            ("Billing settings", "tune", "invoices.billingsettings", ""),
            ("Legal entities", "account_balance", "invoices.legalentity", ""),
            ("Usage settings", "data_usage", "usage.usagesettings", ""),
            ("API keys", "key", "access.apikey", ""),
            ("Staff", "badge", "access.staffuser", ""),
            ("Roles", "admin_panel_settings", "auth.group", ""),
            ("Audit log", "policy", "audit.auditentry", ""),
        ],
    ),
]
PLATFORM: list[tuple[str, list[Item]]] = [
    (
        "Installation",
        [
            ("Tenants", "domain", "tenants.tenant", ""),
            ("Domains", "language", "tenants.domain", ""),
            ("Schedule", "schedule", "django_celery_beat.periodictask", ""),
        ],
    ),
    (
        "Settings",
        [
            ("Operators", "badge", "access.staffuser", ""),
            ("Audit log", "policy", "audit.auditentry", ""),
        ],
    ),
]


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    groups = PLATFORM if schema.is_public() else TENANT
    home = {"title": "Home", "icon": "home", "link": reverse("admin:index")}
    shown: list[dict[str, Any]] = [{"title": "", "items": [home]}]
    for title, items in groups:
        allowed = [link(request, item) for item in items if may_view(request, item[2])]
        if allowed:
            shown.append({"title": title, "items": allowed})
    return shown


def may_view(request: HttpRequest, model: str) -> bool:
    app, name = model.split(".")
    return request.user.has_perm(f"{app}.view_{name}") or request.user.has_perm(f"{app}.change_{name}")


def link(request: HttpRequest, item: Item) -> dict[str, Any]:
    title, icon, model, count = item
    path = reverse(f"admin:{model.replace('.', '_')}_changelist")
    entry = {"title": title, "icon": icon, "link": path, "active": request.path.startswith(path)}
    if count and (text := count_text(count)):
        entry |= {"badge": text, "badge_variant": "warning"}
    return entry
