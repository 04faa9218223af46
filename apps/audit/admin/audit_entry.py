"""The audit log: who did what, when and why."""

from typing import Any

from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, FieldTextFilter, RangeDateTimeFilter
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from apps.audit.models import AuditEntry
from apps.core.admin.base import FactAdmin
from apps.core.admin.display import NOTHING, code, instant_column
from apps.core.admin_sites import platform_site, tenant_site


class AuditEntryAdmin(FactAdmin):
    list_display = ("at_shown", "who", "action_shown", "target_label", "reason")
    list_filter = (
        ("actor_kind", ChoicesDropdownFilter),
        ("action", FieldTextFilter),
        ("at", RangeDateTimeFilter),
    )
    search_fields = ("actor", "target_label", "=target_id", "=request_id")
    search_help_text = "Actor, target, its ID, or a request ID"
    paginator = InfinitePaginator
    show_full_result_count = False
    fields = ("at_shown", "who", "action_shown", "target", "reason", "changes_shown", "request_shown")

    at_shown = instant_column("at", "When")

    @display(description="Who", ordering="actor")
    def who(self, entry: AuditEntry) -> str:
        return (
            f"{entry.actor} ({entry.get_actor_kind_display()})"
            if entry.actor
            else entry.get_actor_kind_display()
        )

    @display(description="Action", ordering="action")
    def action_shown(self, entry: AuditEntry) -> str:
        return code(entry.action)

    @display(description="Target")
    def target(self, entry: AuditEntry) -> str:
        return format_html(
            "{} <span class='ch-faint'>{} {}</span>", entry.target_label, entry.target_type, entry.target_id
        )

    @display(description="Request")
    def request_shown(self, entry: AuditEntry) -> str:
        return code(entry.request_id)

    @display(description="Changes")
    def changes_shown(self, entry: AuditEntry) -> SafeString | str:
        """`{"name": [old, new]}` as a table; what has no old value has one column."""
        if not entry.changes:
            return NOTHING
        rows = format_html_join(
            "", "<tr><th>{}</th><td><code>{}</code></td></tr>", map(self.change, entry.changes.items())
        )
        return format_html('<table class="ch-pairs">{}</table>', rows)

    @staticmethod
    def change(item: tuple[str, Any]) -> tuple[str, str]:
        name, value = item
        if isinstance(value, list) and len(value) == 2:
            return name, f"{value[0] or NOTHING} → {value[1] or NOTHING}"
        return name, str(value)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)


tenant_site.register(AuditEntry, AuditEntryAdmin)
platform_site.register(AuditEntry, AuditEntryAdmin)
