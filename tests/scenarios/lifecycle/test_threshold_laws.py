"""Whatever is billed ahead, and whatever happens in between: a cycle costs what it costs without thresholds."""

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.catalog.models import PlanVersion
from apps.core.errors import Refused
from apps.invoices.models import Invoice
from apps.invoices.services.finalize_invoice import finalize_due_invoices
from apps.invoices.services.void_invoice import void_invoice
from apps.subscriptions.models import Subscription
from apps.subscriptions.services.set_billing_threshold import set_billing_threshold
from apps.tenants.models import Tenant
from apps.usage.services.corrections.void_event import void_event
from tests.harness.evidence import rolled_back
from tests.harness.factories import an_event, make_meter, report
from tests.invoices.ledger import metered
from tests.scenarios.lifecycle.test_laws import act
from tests.scenarios.lifecycle.words import NO_TIME, base, fresh, run, sell, start
from tests.scenarios.lifecycle.words import at as instant

START, END = instant("2026-01-01"), instant("2026-07-01")
HOURS = 24 * 120
TIERS = [{"up_to": "50", "unit_amount": "0.333"}, {"up_to": None, "unit_amount": "0.1", "flat_amount": "3"}]
VERBS = ["plan", "plan_later", "plan_at_cursor", "quarterly", "quarterly_at_cursor", "pause", "resume", "cancel",
         "cancel_at_cursor", "reactivate", "zone"]  # fmt: skip


@dataclass(frozen=True)
class Happening:
    """After so many hours: an event that lies back by so many, or what happens to the subscription."""

    hour: int
    verb: str
    number: int
    back: int = 0


HAPPENINGS = st.lists(
    st.builds(
        Happening,
        hour=st.integers(1, HOURS),
        verb=st.one_of(
            st.just("use"),
            st.just("use"),
            st.just("look"),
            st.sampled_from(["void", "take_back", "another_threshold", *VERBS]),
        ),
        number=st.integers(1, 60),
        back=st.sampled_from([0, 0, 1, 30, 24 * 20]),
    ),
    min_size=4,
    max_size=25,
)
THRESHOLDS = st.decimals(Decimal("0.01"), Decimal(40), places=2)
EXAMPLES = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))


def sold() -> list[PlanVersion]:
    return [
        sell("a", base("31.99", "advance"), metered("graduated", tiers=TIERS), metered("per_unit", code="m",
             unit_amount="0.07", filters={"model": ["m"]}, minimum_amount="5")),
        sell("b", base("10"), metered("volume", tiers=TIERS)),
        sell("q", metered("package", package_size="7", unit_amount="1.5"), interval_count=3,
             usage_interval_unit="month", usage_interval_count=1),
    ]  # fmt: skip


def lived(happenings: list[Happening], threshold: Decimal | None) -> dict[datetime, Decimal]:
    """What is charged in the end, by the start of the cycle, without openings."""
    make_meter("units", event_name="llm.call", dimensions=["model"])
    plans = sold()
    subscription = start(plans[0], START)
    if threshold is not None:
        set_billing_threshold(subscription=subscription, amount=threshold, now=START)
    used: list[str] = []
    for index, one in enumerate(sorted(happenings, key=lambda one: (one.hour, one.verb, one.number))):
        now = START + timedelta(hours=one.hour, minutes=one.number, seconds=index)
        run(now, grace=NO_TIME)
        if one.verb == "use":
            timestamp = max(START, now - timedelta(hours=one.back))
            properties = {"units": one.number, "model": "m" if one.number % 3 else "n"}
            report(an_event(f"e{index}", timestamp=timestamp.isoformat(), properties=properties), now=now)
            used.append(f"e{index}")
        elif one.verb == "take_back" and used:
            # Whatever was billed for it, ahead or not.
            void_event(event_id=used.pop(one.number % len(used)), reason="For the test", now=now)
        elif one.verb == "another_threshold":
            change_threshold(subscription, threshold, one.number, now)
        elif one.verb == "void":
            void_latest(now)
        elif one.verb in VERBS:
            act(subscription, plans, one.verb, one.number % 5 + 1, now)
    run(END)
    finalize_due_invoices(END + timedelta(days=9))
    found: defaultdict[datetime, Decimal] = defaultdict(Decimal)
    for invoice in Invoice.objects.exclude(kind="opening").exclude(status="void"):
        found[invoice.period_start] += invoice.total
    assert fresh(subscription).invoiced_until > START
    return {at: total for at, total in found.items() if total}


def change_threshold(
    subscription: Subscription, threshold: Decimal | None, number: int, now: datetime
) -> None:
    """Higher, lower, or for a while none."""
    if threshold is not None:
        with suppress(Refused):
            amount = None if number % 5 == 0 else Decimal(number) / 4
            set_billing_threshold(subscription=subscription, amount=amount, now=now)


def void_latest(now: datetime) -> None:
    """Of the open cycle, as nothing rests on the latest."""
    latest = Invoice.objects.filter(kind="threshold", status="open").order_by("-id").first()
    if latest is not None and latest.period_start == latest.subscription.invoiced_until:
        void_invoice(invoice=latest, reason="For the test", now=now)


@EXAMPLES
@given(happenings=HAPPENINGS, threshold=THRESHOLDS)
def test_a_cycle_costs_the_same_with_thresholds(
    in_acme: Tenant, happenings: list[Happening], threshold: Decimal
) -> None:
    def told(amount: Decimal | None) -> dict[datetime, Decimal]:
        found: list[dict[datetime, Decimal]] = []
        with rolled_back():
            found.append(lived(happenings, amount))
        return found[0]

    assert told(threshold) == told(None)


def test_the_law_sees_many_in_a_cycle(in_acme: Tenant) -> None:
    """Or it would say nothing: a threshold of a cent makes an invoice of each look after an event."""
    steps = [Happening(hour, "use", 20) for hour in range(10, 700, 40)]
    steps += [replace(one, hour=one.hour + 1, verb="look") for one in steps]
    lived(steps, Decimal("0.01"))
    made: dict[str, Any] = {one.period_end: one.total for one in Invoice.objects.filter(kind="threshold")}
    assert len(made) == 18
    cycle = Invoice.objects.filter(kind="cycle").earliest("period_start")
    assert {line.kind for line in cycle.lines.all()} >= {"usage", "billed_ahead"}
