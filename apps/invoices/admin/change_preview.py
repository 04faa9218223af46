"""Before a subscription is changed: the invoices that follow without the change and with it, line by line."""

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import zip_longest
from typing import Any

from apps.core.admin.display import period_text, quantity_text
from apps.core.money import money_display
from apps.invoices.models import Invoice
from apps.invoices.services.compute import ComputedInvoice
from apps.invoices.services.lines import ComputedLine
from apps.invoices.services.preview_change import preview
from apps.rating import exact_sum
from apps.subscriptions.admin.previews import use_previewer
from apps.subscriptions.models import Subscription

Pair = tuple[ComputedInvoice | None, ComputedInvoice | None]


def shown(
    verb: Callable[..., Subscription], *, subscription: Subscription, now: datetime, **arguments: Any
) -> dict[str, Any]:
    """Raises what the verb raises."""
    seen = preview(verb, subscription=subscription, now=now, **arguments)
    currency = subscription.customer.currency
    before, after = (exact_sum([one.total for one in side]) for side in (seen.before, seen.after))
    sign = "+" if seen.difference > 0 else ""
    return {
        "template": "admin/invoices/invoice/change_preview.html",
        "difference": sign + money_display(seen.difference, currency),
        "direction": "The customer owes more" if seen.difference > 0 else "The customer owes less",
        "is_same": not seen.difference,
        "before": money_display(before, currency),
        "after": money_display(after, currency),
        "invoices": [invoice_of(pair, subscription.time_zone) for pair in pairs_of(seen.before, seen.after)],
    }


def pairs_of(before: list[ComputedInvoice], after: list[ComputedInvoice]) -> Iterator[Pair]:
    """Those that begin at one instant belong together. The cycle comes last, so they are matched from the end."""
    for start in sorted({one.period.start for one in (*before, *after)}):
        sides = [[one for one in side if one.period.start == start] for side in (before, after)]
        matched = list(zip_longest(reversed(sides[0]), reversed(sides[1])))
        yield from reversed(matched)


def invoice_of(pair: Pair, zone: str) -> dict[str, Any]:
    one, other = pair
    told = other or one
    assert told is not None
    period = period_text(told.period.start, told.period.end, zone)
    if told.kind == Invoice.Kind.THRESHOLD:
        period = f"{Invoice.Kind.THRESHOLD.label}: {period}"
    if one is not None and other is not None and one.period != other.period:
        period = f"{period_text(one.period.start, one.period.end, zone)} → {period}"
    return {
        "period": period,
        "badge": "Only with the change" if one is None else "No more" if other is None else "",
        "before": money_display(one.total, one.currency) if one else "",
        "after": money_display(other.total, other.currency) if other else "",
        "rows": rows_of(pair, told.currency, zone),
    }


def rows_of(pair: Pair, currency: str, zone: str) -> list[dict[str, Any]]:
    """A line that is on both invoices is one row. Lines are the same that charge one price for one time."""
    found: dict[tuple[object, ...], list[ComputedLine | None]] = {}
    for side, invoice in enumerate(pair):
        for line in invoice.lines if invoice else []:
            source = line.one_off.pk if line.one_off else line.price and line.price.pk
            key: tuple[object, ...] = (line.kind, source, line.period.start, line.period.end)
            while found.get(key, [None, None])[side] is not None:
                key = (*key, side)
            found.setdefault(key, [None, None])[side] = line
    return [row_of(one, other, currency, zone) for one, other in found.values()]


def row_of(one: ComputedLine | None, other: ComputedLine | None, currency: str, zone: str) -> dict[str, Any]:
    line = other or one
    assert line is not None
    return {
        "description": line.description,
        "period": period_text(line.period.start, line.period.end, zone),
        "quantity": quantity_text(line.quantity) if line.quantity is not None else "",
        "before": money_display(one.amount, currency) if one else "",
        "after": money_display(other.amount, currency) if other else "",
        "is_changed": one is None or other is None or one.amount != other.amount,
    }


use_previewer(shown)
