"""Before a backfill is closed: what it changes, by meter and by invoice."""

from typing import Any

from apps.core import clock
from apps.core.admin.display import quantity_text
from apps.core.admin.registry import register_facts
from apps.core.errors import Refused
from apps.core.money import money_display
from apps.invoices.services.backfill_preview import preview_backfill
from apps.usage.models import UsageBackfill

SHOWN = 20


def effect_of(backfill: UsageBackfill) -> dict[str, Any]:
    try:
        preview = preview_backfill(backfill=backfill, now=clock.now())
    except Refused as refused:
        return {"It can't be closed": refused.message}
    facts: dict[str, Any] = {
        f"{one.customer}: {one.meter}": f"{quantity_text(one.before)} → {quantity_text(one.after)} {one.meter.unit}"
        for one in preview.usage[:SHOWN]
    }
    for effect in preview.invoices[:SHOWN]:
        name = "draft" if effect.draft else "next invoice"
        before, after = (money_display(amount, effect.currency) for amount in (effect.before, effect.after))
        facts[f"{effect.customer}: {name} from {effect.period_start.date()}"] = f"{before} → {after}"
    left = max(0, len(preview.usage) - SHOWN) + max(0, len(preview.invoices) - SHOWN)
    if left or preview.left_off:
        facts["More"] = f"{left:,} lines, {preview.left_off:,} customers that were not looked at"
    return facts


register_facts("usage.usagebackfill.close", effect_of)
