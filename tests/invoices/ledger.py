"""Short words for what stands on invoices."""

from datetime import UTC, datetime
from typing import Any

from apps.catalog.models import PlanVersion
from apps.catalog.services import plans, versions
from apps.catalog.services.plans import NewPrice
from apps.core import clock
from apps.invoices.models import Invoice
from apps.invoices.services.compute import compute_invoice
from apps.rating import plain
from apps.subscriptions.models import Subscription
from tests.harness.factories import an_event, report

JANUARY, FEBRUARY, MARCH, APRIL = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3, 4))
# 31 days have passed by half.
MIDDLE = datetime(2026, 1, 16, 12, tzinfo=UTC)

Line = tuple[str, str, str | None, str]


def lines(invoice: Invoice) -> list[Line]:
    """Kind, description, quantity and amount of each line."""
    return [
        (line.kind, line.description, quantity_text(line.quantity), line.amount_text)
        for line in invoice.lines.all()
    ]


def previewed(subscription: Subscription) -> list[Line]:
    """The same, of the open period, without an invoice."""
    subscription.refresh_from_db()
    computed = compute_invoice(subscription=subscription, period=subscription.open_period, as_of=clock.now())
    return [
        (str(line.kind), line.description, quantity_text(line.quantity), plain(line.amount, 2))
        for line in computed.lines
    ]


def quantity_text(quantity: Any) -> str | None:
    return None if quantity is None else plain(quantity)


def bills() -> list[tuple[str, str, str]]:
    """Kind, first day and total of every invoice, in the order in which they were made."""
    return [(one.kind, f"{one.period_start:%m-%d}", one.total_text) for one in Invoice.objects.order_by("id")]


def fee(amount: str, timing: str, code: str = "") -> NewPrice:
    name = {"advance": "Base", "arrears": "Support", "once": "Set-up"}[timing]
    return NewPrice(code=code or timing, name=name, model="flat", flat_amount=amount, billing_timing=timing)


def metered(
    model: str, *, meter: str = "units", code: str = "", filters: Any = None, **more: Any
) -> NewPrice:
    return NewPrice(
        code=code or meter,
        name=(code or meter).title(),
        model=model,
        meter=meter,
        unit_amount_property=more.pop("unit_amount_property", ""),
        filters=filters or {},
        more=more,
    )


def publish_next(
    version: PlanVersion, *prices: NewPrice, now: datetime, existing: str = "now"
) -> PlanVersion:
    draft = plans.draft_version(plan=version.plan, currency=version.currency, prices=prices)
    return versions.publish_version(version=draft, now=now, existing=existing)


def use(event_id: str, at: str, **properties: Any) -> None:
    """An event that is accepted."""
    [verdict] = report(an_event(event_id, timestamp=at, properties=properties))
    assert verdict.status == "accepted", verdict
