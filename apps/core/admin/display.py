"""How values read in lists and on pages: instants, quantities, rates and statuses, the same everywhere."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.admin import display
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.core.money import money_display
from apps.rating import grouped, minor_units, round_amount

NOTHING = "–"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
TONES = {
    "draft": "warning", "open": "info", "paid": "success", "void": "default", "uncollectible": "danger",
    "published": "success", "archived": "default", "active": "success", "ended": "default",
    "waiting": "warning", "replayed": "success", "revoked": "danger", "in use": "success",
    "current": "success", "scheduled": "info", "past": "default",
    "parked": "danger", "to come": "info", "drafted": "warning", "invoiced": "success", "billed here": "success",
    "live": "success", "sandbox": "warning", "inactive": "default", "unfinished": "danger",
}  # fmt: skip


def instant_text(instant: datetime | None, zone: str = "UTC") -> str:
    """`3 May 2026, 14:05 UTC`; another zone is named by its abbreviation."""
    if instant is None:
        return NOTHING
    local = instant.astimezone(ZoneInfo(zone) if zone != "UTC" else UTC)
    return f"{local.day} {local:%b %Y, %H:%M} {local:%Z}"


def day_text(day: date | None) -> str:
    return NOTHING if day is None else f"{day.day} {day:%b %Y}"


def period_text(start: datetime, end: datetime, zone: str) -> str:
    """A half-open period as people read it: `1 – 31 Jan 2026`. Shows hours where it doesn't run from midnight.

    What has no length, as a charge of its own, is an instant.
    """
    local_start, local_end = start.astimezone(ZoneInfo(zone)), end.astimezone(ZoneInfo(zone))
    if any(edge.time() != edge.time().min for edge in (local_start, local_end)):
        begin, close = instant_text(start, zone), instant_text(end, zone)
        if begin == close:
            return close
        # One zone is named once; where the clocks change in between, each has its own.
        return f"{begin.removesuffix(f' {local_end:%Z}')} – {close}"
    first, last = local_start.date(), (local_end - DAY).date()
    if first == last:
        return day_text(first)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day} – {day_text(last)}"
    if first.year == last.year:
        return f"{first.day} {first:%b} – {day_text(last)}"
    return f"{day_text(first)} – {day_text(last)}"


def age_text(since: datetime, now: datetime) -> str:
    """`5 min`, `3 h`, `12 days`."""
    age = max(now - since, timedelta())
    if age < HOUR:
        return f"{age // MINUTE} min"
    if age < 2 * DAY:
        return f"{age // HOUR} h"
    return f"{age // DAY} days"


def quantity_text(quantity: Decimal | int | None) -> str:
    return NOTHING if quantity is None else grouped(Decimal(quantity))


def rate_text(amount: Decimal | None, currency: str) -> str:
    """A price for one unit with all its decimals: `USD 1,250.00`, `JPY 49,000`, `USD 0.0000025`."""
    return NOTHING if amount is None else f"{currency} {grouped(amount, minor_units(currency))}"


def amount_text(amount: Decimal, currency: str) -> str:
    """An amount that was typed: as money, or with all its decimals where money has fewer."""
    is_money = amount == round_amount(amount, currency)
    return money_display(amount, currency) if is_money else rate_text(amount, currency)


def counted(count: int, noun: str) -> str:
    """`1 draft`, `1,200 drafts`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def per_million_text(amount: Decimal | None, currency: str) -> str:
    """Tiny prices as people compare them; empty for others, and where it would not be exact."""
    if amount is None or not 0 < amount < Decimal("0.001"):
        return ""
    million = amount * 1_000_000
    return (
        f"{money_display(million, currency)} per million"
        if million == round_amount(million, currency)
        else ""
    )


def badge(text: str, tone: str = "") -> SafeString:
    """A coloured label. The tone follows from the text when it is a known status."""
    return format_html(
        '<span class="ch-badge ch-{}">{}</span>', tone or TONES.get(text.lower(), "default"), text
    )


def code(text: str) -> SafeString:
    return format_html('<code class="ch-code">{}</code>', text) if text else SafeString(NOTHING)


def pairs(values: dict[str, Any]) -> SafeString:
    """A small table of names and values, for properties and metadata."""
    if not values:
        return SafeString(NOTHING)
    rows = format_html_join(
        "",
        "<tr><th>{}</th><td><code>{}</code></td></tr>",
        ((name, spelled(value)) for name, value in values.items()),
    )
    return format_html('<table class="ch-pairs">{}</table>', rows)


def spelled(value: Any) -> str:
    return value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def instant_column(field: str, description: str) -> Callable[..., Any]:
    """A list column that shows an instant in UTC and sorts by it."""

    def column(self: Any, record: Any) -> str:
        return instant_text(getattr(record, field))

    column.__name__ = f"{field}_shown"
    return display(column, description=description, ordering=field)
