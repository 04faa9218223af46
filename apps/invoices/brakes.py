"""What makes a draft worth a second look before it is issued. Each brake is a setting and can be switched off.

A brake says how bad it is by a measure of its own, so that a release holds for what was seen and not for more.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from django.db.models import Count, F, Min, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from apps.core.money import money_display
from apps.customers.models import Customer
from apps.invoices.at_risk import at_risk
from apps.invoices.models import BillingSettings, Invoice, InvoiceLine, ParkReason
from apps.invoices.teams import families_of
from apps.rating import StepKind, exact_sum, grouped
from apps.subscriptions.periods import Period
from apps.usage.models import QuarantinedEvent
from apps.usage.selectors.quarantine import WaitingGroup

Brake = ParkReason.Brake
Kind = InvoiceLine.Kind
TRAILING = 6
NOT_ISSUED = (Invoice.Status.DRAFT, Invoice.Status.VOID)
MAX_NAMES = 3


@dataclass(frozen=True, slots=True)
class Tripped:
    """`measure` grows as it gets worse."""

    brake: ParkReason.Brake
    words: str
    measure: Decimal


def tripped_by(invoice: Invoice, settings: BillingSettings) -> list[Tripped]:
    """The brakes that the draft trips as it is written; a fixed number of queries."""
    lines = list(invoice.lines.select_related("price__meter"))
    found: list[Tripped] = []
    if settings.brake_on_negative_total:
        found += negative_total(invoice)
    if settings.brake_on_lines_above is not None:
        found += many_lines(len(lines), settings.brake_on_lines_above)
    if settings.brake_on_total_factor is not None:
        found += large_total(invoice, settings.brake_on_total_factor, settings.brake_on_total_invoices)
    if settings.brake_on_usage_gone:
        found += usage_gone(invoice, lines)
    if settings.brake_on_quarantine:
        found += quarantine(invoice, lines)
    if settings.brake_on_unpriced:
        found += unpriced(invoice)
    if settings.brake_on_double_charge:
        found += double_charge(invoice, lines)
    return found


def negative_total(invoice: Invoice) -> Iterator[Tripped]:
    if invoice.total < 0:
        yield Tripped(Brake.NEGATIVE_TOTAL, f"The total is {invoice.total_display}.", -invoice.total)


def many_lines(count: int, bound: int) -> Iterator[Tripped]:
    if count > bound:
        yield Tripped(Brake.MANY_LINES, f"{count:,} lines, more than {bound:,}.", Decimal(count))


def large_total(invoice: Invoice, factor: Decimal, at_least: int) -> Iterator[Tripped]:
    """The measure is the multiple in whole steps: a few more cents of late usage are no new finding.

    A mean of nothing, or less, is no measure for anything: whoever begins to pay has no history. What was billed ahead
    counts as if it had not been, or a cycle with a threshold would be compared with what was left of others.
    """
    former = Invoice.objects.filter(
        customer_id=invoice.customer_id, currency=invoice.currency, kind=Invoice.Kind.CYCLE
    )
    totals = whole_totals(former.exclude(status__in=NOT_ISSUED).order_by("-period_end", "-id")[:TRAILING])
    sum_of_totals = exact_sum(totals)
    if len(totals) < at_least or sum_of_totals <= 0:
        return
    [whole] = whole_totals(Invoice.objects.filter(pk=invoice.pk))
    multiple = whole * len(totals) / sum_of_totals
    if multiple > factor:
        mean = money_display(sum_of_totals / len(totals), invoice.currency)
        ahead = ", with what was billed ahead," if whole != invoice.total else ""
        times = grouped(multiple.quantize(Decimal("0.1")))
        words = (
            f"{money_display(whole, invoice.currency)}{ahead} is {times} times the mean"
            f" of the last {len(totals)} invoices, {mean}."
        )
        yield Tripped(Brake.LARGE_TOTAL, words, multiple.quantize(Decimal(1), rounding=ROUND_FLOOR))


def whole_totals(invoices: QuerySet[Invoice]) -> list[Decimal]:
    """Totals before what threshold invoices charged was taken off."""
    ahead = (
        InvoiceLine.objects.filter(invoice=OuterRef("pk"), kind=Kind.BILLED_AHEAD)
        .order_by()
        .values("invoice")
        .annotate(sum=Sum("amount"))
        .values("sum")
    )
    whole = F("total") - Coalesce(Subquery(ahead), Value(Decimal(0)))
    return list(invoices.values_list(whole, flat=True))


def usage_gone(invoice: Invoice, lines: list[InvoiceLine]) -> Iterator[Tripped]:
    """Meters without usage that had some on the subscription's invoice for the time before."""
    used: dict[int, Decimal] = {}
    for line in lines:
        meter_id = line.price.meter_id if line.price and line.kind == Kind.USAGE else None
        if meter_id is not None:
            used[meter_id] = max(used.get(meter_id, Decimal(0)), abs(line.quantity or Decimal(0)))
    quiet = [meter_id for meter_id, quantity in used.items() if not quantity]
    if not quiet:
        return
    before = (
        Invoice.objects.filter(
            subscription_id=invoice.subscription_id,
            kind=Invoice.Kind.CYCLE,
            period_end__lte=invoice.period_start,
        )
        .exclude(status__in=NOT_ISSUED)
        .order_by("-period_end", "-id")
        .values("pk")[:1]
    )
    gone = list(
        InvoiceLine.objects.filter(
            invoice__in=before, kind=Kind.USAGE, price__meter_id__in=quiet, quantity__gt=0
        )
        .order_by("price__meter__name")
        .values_list("price__meter__name", flat=True)
        .distinct()
    )
    if gone:
        yield Tripped(Brake.USAGE_GONE, f"No usage of {named(gone)}, after some before.", Decimal(len(gone)))


def quarantine(invoice: Invoice, lines: Sequence[InvoiceLine] = ()) -> Iterator[Tripped]:
    """Events of the period that wait and name the customer, or a team for whose time it pays."""
    families = families_of([invoice.customer_id])
    spans = families.span_of(invoice.customer_id, billed_period(invoice, lines)).all
    customers = Customer.objects.in_bulk({one.customer_id for one in spans})
    by_reference = {name: one.pk for one in customers.values() for name in (one.external_id, one.public_id)}
    concerned = Q()
    for span in spans:
        customer = customers[span.customer_id]
        concerned |= Q(
            customer_reference__in=[customer.external_id, customer.public_id],
            timestamp__gte=span.start,
            timestamp__lt=span.end,
        )
    rows = (
        QuarantinedEvent.objects.filter(concerned, status=QuarantinedEvent.Status.WAITING)
        .order_by()
        .values("reason", "event_name", "customer_reference")
        .annotate(count=Count("pk"), oldest=Min("received_at"))
    )
    groups = [
        WaitingGroup(
            row["reason"],
            row["customer_reference"],
            row["event_name"],
            row["count"],
            row["oldest"],
            by_reference[row["customer_reference"]],
            False,
        )
        for row in rows
    ]
    if groups:
        count = sum(group.count for group in groups)
        risk = " + ".join(money_display(amount, currency) for currency, amount in at_risk(groups).amounts)
        words = f"{plural(count, 'event')} of the period in quarantine" + (
            f", about {risk}." if risk else "."
        )
        yield Tripped(Brake.QUARANTINE, words, Decimal(count))


def billed_period(invoice: Invoice, lines: Sequence[InvoiceLine]) -> Period:
    """Usage that came after the end is of the periods that its lines name."""
    if invoice.kind != Invoice.Kind.LATE or not lines:
        return invoice.period
    return Period(min(one.period_start for one in lines), max(one.period_end for one in lines))


def unpriced(invoice: Invoice) -> Iterator[Tripped]:
    if invoice.unpriced:
        count = sum(int(row["event_count"]) for row in invoice.unpriced)
        meters = sorted({str(row["meter"]) for row in invoice.unpriced})
        words = f"No price takes {plural(count, 'event')} of {named(meters)}."
        yield Tripped(Brake.UNPRICED, words, Decimal(count))


def double_charge(invoice: Invoice, lines: list[InvoiceLine]) -> Iterator[Tripped]:
    """Charges in full for one price at one time: on this invoice, or here and on another of the subscription.

    What names an amount that was billed already is the difference to it, and so no second charge; nor are the lines of
    threshold invoices and the others of their cycle, which take them off.
    """
    mine = [line for line in lines if is_full_charge(line)]
    others = (
        InvoiceLine.objects.filter(
            invoice__subscription_id=invoice.subscription_id,
            price_id__in={line.price_id for line in mine},
            period_end__gt=min((line.period_start for line in mine), default=invoice.period_start),
            amount__gt=0,
        )
        .exclude(invoice__status=Invoice.Status.VOID)
        .exclude(Q(invoice=invoice) | Q(invoice__kind=Invoice.Kind.THRESHOLD))
        .select_related("price")
    )
    if invoice.kind == Invoice.Kind.THRESHOLD:
        others = others.exclude(invoice__period_start=invoice.period_start)
    theirs = [line for line in others if is_full_charge(line)]
    twice: dict[int, str] = {}
    for index, line in enumerate(mine):
        for other in (*mine[index + 1 :], *theirs):
            if line.price is not None and line.price_id == other.price_id and overlap(line, other):
                twice[line.price.pk] = line.price.name
    if twice:
        words = f"{named(sorted(twice.values()))}: charged twice for the same time."
        yield Tripped(Brake.DOUBLE_CHARGE, words, Decimal(len(twice)))


def is_full_charge(line: InvoiceLine) -> bool:
    is_difference = any(step.get("kind") == StepKind.ALREADY_BILLED for step in line.steps)
    return line.kind in (Kind.FLAT, Kind.USAGE) and line.amount > 0 and not is_difference


def overlap(one: InvoiceLine, other: InvoiceLine) -> bool:
    return one.period_start < other.period_end and other.period_start < one.period_end


def named(names: list[str]) -> str:
    shown = ", ".join(names[:MAX_NAMES])
    left = len(names) - MAX_NAMES
    return f"{shown} and {left} more" if left > 0 else shown


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
