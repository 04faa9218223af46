"""What an add-on costs, whatever is done to it: the parts sum to the whole, and setup is asked for once a time."""

from datetime import datetime, timedelta
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.invoices.models import InvoiceLine
from apps.rating import prorate, round_amount
from apps.subscriptions.services.add_ons import attach_add_on, change_add_on, detach_add_on
from apps.tenants.models import Tenant
from tests.harness.evidence import nothing_changes_in, rolled_back
from tests.scenarios.lifecycle.words import at, base, run, sell, start

START = at("2026-01-01")
YEAR = timedelta(days=365)
HOUR = timedelta(hours=1)
# At which hours of the year how many there are from then on; none: it is detached.
CHANGES = st.lists(
    st.tuples(st.integers(1, 364 * 24), st.integers(0, 4)),
    min_size=1,
    max_size=6,
    unique_by=lambda one: one[0],
)


def cost(seats: int, begin: datetime, end: datetime) -> Decimal:
    whole = prorate(Decimal(1000 * seats), (end - begin) // HOUR, YEAR // HOUR)
    return round_amount(whole, "USD")


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(changes=CHANGES, timing=st.sampled_from(["advance", "arrears"]))
def test_a_year_costs_what_is_attached_for_its_time(
    in_acme: Tenant, changes: list[tuple[int, int]], timing: str
) -> None:
    """Each part is rounded by itself, whether it was paid at the start and partly given back, or paid at the end."""
    with rolled_back():
        plan = sell(
            "a", base("1", timing), interval_count=12, usage_interval_unit="month", usage_interval_count=1
        )
        extra = sell(
            "x", base("1000", timing, is_per_seat=True, code="extra"), base("9", "once", code="setup"),
            kind="add_on", interval_count=12,
        )  # fmt: skip
        subscription = start(plan, START)
        parts: list[tuple[datetime, int]] = [(START, 0)]
        begun = 0
        for hour, number in sorted(changes):
            now = START + timedelta(hours=hour)
            run(now)
            before = parts[-1][1]
            if number == before:
                continue
            parts.append((now, number))
            if not before:
                begun += 1
                attach_add_on(
                    subscription=subscription, plan_version=extra, quantity=number, when="now", now=now
                )
            elif number:
                change_add_on(
                    subscription=subscription, plan=extra.plan, quantity=number, when="now", now=now
                )
            else:
                detach_add_on(subscription=subscription, plan=extra.plan, when="now", now=now)
        run(START + YEAR)
        edges = [*(begin for begin, _ in parts), START + YEAR]
        expected = sum(
            (cost(number, begin, end) for (begin, number), end in zip(parts, edges[1:], strict=True)),
            Decimal(0),
        )
        billed = InvoiceLine.objects.filter(period_start__lt=START + YEAR)
        extras = billed.filter(price__code="extra").values_list("amount", flat=True)
        assert sum(extras, Decimal(0)) == expected
        assert (
            list(billed.filter(price__code="setup").values_list("amount", flat=True)) == [Decimal(9)] * begun
        )
        with nothing_changes_in("acme"):
            run(START + YEAR)
