"""The words of these scenarios: a plan, a subscription, a clock that is moved, and what was billed."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from apps.catalog.models import PlanVersion
from apps.catalog.services import plans, versions
from apps.catalog.services.plans import NewPrice
from apps.invoices.models import Invoice
from apps.invoices.services.bill_thresholds import bill_thresholds
from apps.invoices.services.close_periods import close_due_periods, open_due_subscriptions
from apps.invoices.services.finalize_invoice import finalize_due_invoices
from apps.subscriptions.models import Subscription
from apps.subscriptions.services.subscribe import subscribe
from tests.harness.factories import make_customer

DAY, NO_TIME = timedelta(days=1), timedelta(0)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def at(text: str, zone: str = "UTC") -> datetime:
    """`2026-01-31` or `2026-01-31 12:00`, local."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def base(amount: str, timing: str = "arrears", *, is_per_seat: bool = False, code: str = "base") -> NewPrice:
    return NewPrice(
        code=code, name=code.title(), model="flat", flat_amount=amount, billing_timing=timing,
        is_per_seat=is_per_seat,
    )  # fmt: skip


def calls(amount: str) -> NewPrice:
    return NewPrice(code="calls", name="Calls", model="per_unit", meter="calls", unit_amount=amount)


def sell(code: str, *prices: NewPrice, **terms: Any) -> PlanVersion:
    version = plans.create_plan(code=code, name=code.title(), currency="USD", prices=list(prices), **terms)
    return versions.publish_version(version=version, now=LONG_AGO)


def start(version: PlanVersion, started: datetime, *, zone: str = "UTC", **more: Any) -> Subscription:
    return subscribe(
        customer=make_customer(time_zone=zone),
        plan_version=version,
        started_at=started,
        now=more.pop("now", started),
        **more,
    )


def run(now: datetime, *, grace: timedelta = DAY) -> None:
    """What beat does: open, close, bill thresholds, finalize. A day later the drafts of today are invoices; without
    grace they wait.
    """
    open_due_subscriptions(now)
    close_due_periods(now)
    bill_thresholds(now)
    finalize_due_invoices(now + grace)


def bills() -> list[tuple[str, str, str]]:
    """Local start, local end and total of every invoice but openings', in the order in which they were made."""
    found = []
    for one in Invoice.objects.select_related("subscription").order_by("id"):
        zone = ZoneInfo(one.subscription.time_zone)
        days = [edge.astimezone(zone).strftime("%y-%m-%d") for edge in (one.period_start, one.period_end)]
        if one.kind == Invoice.Kind.OPENING:
            days[1] = "opening"
        found.append((*days, one.total_text))
    return found


def lines(invoice: Invoice | None = None) -> list[tuple[str, str, str]]:
    """Kind, description and amount of the latest invoice's lines."""
    invoice = invoice or Invoice.objects.order_by("-id").first()
    assert invoice is not None
    return [(one.kind, one.description, one.amount_text) for one in invoice.lines.all()]


def fresh(subscription: Subscription) -> Subscription:
    return Subscription.objects.get(pk=subscription.pk)
