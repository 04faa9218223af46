"""On an event's page: where it is billed, meter by meter, or why not."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from apps.catalog.models import Meter
from apps.core.admin.display import instant_text, period_text
from apps.core.admin.registry import Panel, register_panel
from apps.invoices import event_lines
from apps.invoices.event_lines import Counted, Stands, stands_of
from apps.invoices.models import InvoiceLine
from apps.usage.models import DimensionSet, MeterBackfill, UsageEvent, VoidedEvent
from apps.usage.selectors import key_of
from apps.usage.selectors.event_story import ReadingOf, readings_of

CHANGE_INVOICE = "admin:invoices_invoice_change"


def billing_of(request: HttpRequest, event: UsageEvent) -> dict[str, Any]:
    readings = [one for one in readings_of(event) if not one.is_discarded]
    meters = Meter.objects.in_bulk({one.meter_id for one in readings})
    stands = stands_of(
        event,
        counted(event, readings),
        voided_at=VoidedEvent.objects.filter(key=key_of(event)).values_list("voided_at", flat=True).first(),
    )
    return {"rows": [row_of(one, meters.get(one.meter_id), event) for one in stands]}


def counted(event: UsageEvent, readings: list[ReadingOf]) -> list[Counted]:
    """What younger meters read counts since their backfill was done; everything else since it came in."""
    sets = DimensionSet.objects.in_bulk({one.dimension_set_id for one in readings})
    backfilled = [one.meter_id for one in readings if one.is_backfilled]
    done = (
        MeterBackfill.objects.filter(meter_id__in=backfilled, started_at__gte=event.received_at)
        .exclude(started_at__isnull=True)
        .order_by("-started_at")
        .values_list("meter_id", "started_at")
    )
    since = dict(done) if backfilled else {}
    return [
        Counted(
            one.meter_id,
            sets[one.dimension_set_id].values,
            (since.get(one.meter_id) if one.is_backfilled else None) or event.received_at,
        )
        for one in readings
    ]


def row_of(one: Stands, meter: Meter | None, event: UsageEvent) -> dict[str, Any]:
    badge, tone, words = wording(one, meter, event)
    return {
        "meter": meter,
        "price": one.price.name if one.price else "",
        "plan": plan_text(one, event),
        "badge": badge,
        "tone": tone,
        "words": words,
        "line": line_row(one.line) if one.line else None,
        "back": line_row(one.taken_back_on) if one.taken_back_on else None,
    }


def plan_text(one: Stands, event: UsageEvent) -> str:
    """The plan, with whose it is where another customer pays."""
    if one.phase is None:
        return ""
    payer = one.phase.subscription.customer
    plan = str(one.phase.plan_version)
    return plan if payer.pk == event.customer_id else f"{plan} of {payer}, which pays for this team"


def wording(one: Stands, meter: Meter | None, event: UsageEvent) -> tuple[str, str, str]:
    """Badge, its tone, and what it means."""
    if one.state == event_lines.BILLED:
        assert one.line is not None
        late = " as late usage" if one.line.kind == InvoiceLine.Kind.ADJUSTMENT else ""
        if one.line.invoice.is_draft:
            return "On a draft", "warning", f"It is billed{late} when the draft is finalized."
        return "Billed", "success", f"It stands on this invoice{late}."
    if one.state == event_lines.TAKEN_BACK:
        words = "It was voided after this invoice was written." + (
            " This line takes it back." if one.taken_back_on else " The next invoice takes it back."
        )
        return "Taken back", "default", words
    if one.state == event_lines.UPCOMING:
        assert one.phase is not None
        return "Not billed yet", "info", upcoming_text(one, event)
    if one.state == event_lines.LATE:
        return (
            "Not billed yet",
            "info",
            "Its period was invoiced before it came in: it joins the next invoice as late usage.",
        )
    if one.state == event_lines.UNPRICED:
        if meter is not None and meter.is_draft:
            return "Not billed", "warning", "The meter is a draft, which no price may use."
        return "Not priced", "warning", "No price of the plan takes it."
    return {
        event_lines.UNSUBSCRIBED: (
            "Not billed", "warning", f"The customer had no subscription on {instant_text(event.timestamp)}.",
        ),
        event_lines.ENDED: ("Not billed", "warning", "The subscription has ended and its last invoice is written."),
        event_lines.VOIDED: ("Voided", "danger", "It was voided before any invoice was written: it is not billed."),
    }[one.state]  # fmt: skip


def upcoming_text(one: Stands, event: UsageEvent) -> str:
    assert one.phase is not None
    subscription = one.phase.subscription
    period = subscription.open_period
    if period.start <= event.timestamp < period.end:
        zone = subscription.customer.time_zone
        return f"It comes with the invoice for {period_text(period.start, period.end, zone)}."
    return "It comes with the next invoice."


def line_row(line: InvoiceLine) -> dict[str, Any]:
    return {
        "invoice": line.invoice.number or "Draft",
        "status": line.invoice.get_status_display(),
        "url": reverse(CHANGE_INVOICE, args=[line.invoice_id]),
        "description": line.description,
        "position": line.position,
        "amount": line.amount_display,
    }


register_panel(
    "usage.usageevent",
    Panel(20, "admin/invoices/invoice/of_event.html", "invoices.view_invoice", billing_of, is_wide=True),
)
