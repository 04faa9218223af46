"""Corrections: what was voided, amended and backfilled, by whom and why."""

from django.http import HttpRequest
from django.utils.html import format_html
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.decorators import display

from apps.core.admin.base import FactAdmin
from apps.core.admin.display import NOTHING, code, instant_column, pairs
from apps.core.admin_sites import tenant_site
from apps.usage.models import UsageCorrection


class UsageCorrectionAdmin(FactAdmin):
    list_display = ("created_at_shown", "kind", "about", "customer", "actor", "reason")
    list_filter = (
        ("kind", ChoicesDropdownFilter),
        ("customer", AutocompleteSelectFilter),
        ("created_at", RangeDateTimeFilter),
    )
    list_select_related = ("customer", "backfill")
    search_fields = ("=public_id", "=event_id", "actor", "reason")
    search_help_text = "cor_…, event ID, who or why"
    ordering = ("-id",)
    show_full_result_count = False
    fields = (
        ("kind", "public_id_shown"),
        ("about", "customer"),
        ("timestamp_shown", "source_shown"),
        ("created_at_shown", "actor"),
        "reason",
        "changes_shown",
    )

    created_at_shown = instant_column("created_at", "Made")
    timestamp_shown = instant_column("timestamp", "Time of the event")

    @display(description="About")
    def about(self, correction: UsageCorrection) -> str:
        if correction.backfill_id is not None:
            return format_html("Backfill {}", code(str(correction.backfill)))
        return code(correction.event_id)

    @display(description="ID")
    def public_id_shown(self, correction: UsageCorrection) -> str:
        return code(correction.public_id)

    @display(description="Source")
    def source_shown(self, correction: UsageCorrection) -> str:
        return code(correction.source)

    @display(description="What changed")
    def changes_shown(self, correction: UsageCorrection) -> str:
        return pairs(
            {
                name: f"{value[0]} → {value[1]}" if isinstance(value, list) else value or NOTHING
                for name, value in correction.changes.items()
            }
        )

    def has_delete_permission(self, request: HttpRequest, obj: UsageCorrection | None = None) -> bool:
        return False


tenant_site.register(UsageCorrection, UsageCorrectionAdmin)
