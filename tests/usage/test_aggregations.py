"""All aggregations over any period, by anything, equal a full scan of the events to the last digit.

An example is a stored set of events with many questions; HYPOTHESIS_PROFILE=soak asks many more.
"""

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.catalog.models import Meter
from apps.customers.models import Customer
from apps.usage.selectors import (
    Quantity,
    Span,
    by_dimensions,
    quantities_by_dimension_over,
    quantities_by_group_over,
    quantities_over,
    totals_of,
)
from tests.harness.evidence import rolled_back
from tests.harness.factories import an_event, make_customer, make_meter, report
from tests.usage.marks import DAY, day_of, set_mark, wander
from tests.usage.scan import Reported, count_of, quantity_of, rounded
from tests.usage.test_quantities import FROM, NOW, UNTIL, ZONES
from tests.usage.totals import assert_rollups_equal_events

IS_SOAK = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
SETS_OF_EVENTS = 5_000 if IS_SOAK else 100
QUESTIONS = 20
# Days of the examples, and one.
LENGTH = (UNTIL - FROM) // DAY + 2
AGGREGATIONS = [str(one) for one in Meter.Aggregation]
MODELS, REGIONS = ["gpt-5", "opus", ""], ["eu", "us"]

hours = st.integers(0, 5 * 24).map(lambda hour: FROM + timedelta(hours=hour))
edges = st.builds(
    lambda hour, off: hour + off * timedelta(microseconds=1), hours, st.sampled_from([-1, 0, 1])
)
anywhere = st.datetimes(FROM.replace(tzinfo=None), UNTIL.replace(tzinfo=None), timezones=st.just(UTC))
close = st.integers(0, 300).map(lambda second: FROM + timedelta(hours=30, seconds=second * 29))
local_midnights = st.builds(
    lambda day, zone: datetime(2026, 2, 26, tzinfo=zone) + timedelta(days=day),
    st.integers(0, 4),
    st.sampled_from(ZONES),
)
instants = st.one_of(hours, edges, anywhere, close, local_midnights)
levels = st.one_of(
    st.integers(0, 5).map(Decimal),
    st.decimals(0, Decimal("1e6"), places=18),
    st.sampled_from([Decimal(0), Decimal("1e-18"), Decimal("9999999999999999999.999999999999999999")]),
)
reported = st.lists(
    st.builds(Reported, instants, levels, st.sampled_from(MODELS), st.sampled_from(REGIONS)), max_size=30
)
periods = st.tuples(instants, instants).map(lambda pair: tuple(sorted(pair)))
filters = st.dictionaries(
    st.sampled_from(["model", "region"]),
    st.lists(st.sampled_from([*MODELS, *REGIONS]), min_size=1, max_size=2),
)
names = st.lists(st.sampled_from(["region", "model"]), unique=True)


@pytest.fixture
def meters(in_acme: Any) -> dict[int, str]:
    make_customer("chat")
    make_customer("code")
    found = {}
    for one in AGGREGATIONS:
        property_name = "" if one == "count" else "level"
        meter = make_meter(one, aggregation=one, value_property=property_name, dimensions=["model", "region"])
        found[meter.pk] = one
    return found


def as_events(rows: Sequence[Reported], customer: str) -> list[dict[str, Any]]:
    return [
        an_event(
            f"{customer}-{index}",
            customer=customer,
            timestamp=one.at.isoformat(),
            properties={"level": format(one.level, "f"), "model": one.model, "region": one.region},
        )
        for index, one in enumerate(rows)
    ]


def store(rows: Sequence[Reported], chance: Any) -> None:
    """In any order and batches, some twice; another customer has the same usage. Days are rolled between the batches,
    or half of them: the mark lies anywhere.
    """
    first = day_of(FROM)
    set_mark(written_before=first + chance.randrange(LENGTH) * DAY)
    events = as_events(rows, "chat") + as_events(rows, "code")
    chance.shuffle(events)
    while events:
        size = chance.randint(1, len(events))
        batch, events = events[:size], events[size:]
        again = chance.sample(batch, chance.randint(0, len(batch)))
        assert {one.status for one in report(*batch, *again, now=NOW)} <= {"accepted", "duplicate"}
        wander(first + chance.randrange(LENGTH) * DAY, chance)


Expect = Callable[[str, Sequence[Reported]], tuple[Fraction, int]]


def exact(one: Quantity) -> tuple[Fraction, int]:
    return Fraction(one.quantity), one.event_count


@settings(max_examples=SETS_OF_EVENTS, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rows=reported,
    asked=st.lists(periods, min_size=QUESTIONS, max_size=QUESTIONS),
    as_of=instants,
    by=names,
    where=filters,
    labels=st.lists(st.integers(0, 2), min_size=6, max_size=6),
    chance=st.randoms(use_true_random=False),
)
def test_equal_a_full_scan(  # noqa: PLR0917 - hypothesis gives them by name
    meters: dict[int, str],
    rows: list[Reported],
    asked: list[tuple[datetime, datetime]],
    as_of: datetime,
    by: list[str],
    where: dict[str, list[str]],
    labels: list[int],
    chance: Any,
) -> None:
    customer = Customer.objects.get(external_id="chat")
    with rolled_back():
        store(rows, chance)
        assert_rollups_equal_events()
        question = {"customer_id": customer.pk, "periods": asked, "as_of": as_of}
        whole = quantities_over(meter_ids=meters, **question)
        by_set = quantities_by_dimension_over(meter_ids=meters, **question)
        set_ids = {
            (one.dimensions["model"], one.dimensions["region"]): one.dimension_set_id
            for found in by_set
            for parts in found.values()
            for one in parts
        }
        label_of = dict(zip(sorted(set_ids), labels, strict=False))
        groups = {(meter, set_ids[key]): label for meter in meters for key, label in label_of.items()}
        by_label = quantities_by_group_over(groups=[groups] * len(asked), **question)
        spans = [Span(customer.pk, *period) for period in asked]
        by_values = totals_of(spans, meters, grouping=by_dimensions(by, where), as_of=as_of)
        for number, (start, end) in enumerate(asked):

            def expected(
                aggregation: str, key: Callable[[Reported], Any], start: datetime = start, end: datetime = end
            ) -> dict[Any, tuple[Fraction, int]]:
                """By group; what nobody used is left out."""
                found: dict[Any, list[Reported]] = {}
                for row in rows:
                    found.setdefault(key(row), []).append(row)
                found.pop(None, None)
                answer = {
                    group: (
                        rounded(quantity_of(aggregation, events, start, end, as_of)),
                        count_of(aggregation, events, start, end, as_of),
                    )
                    for group, events in found.items()
                }
                return {group: one for group, one in answer.items() if one != (0, 0)}

            def grouped(row: Reported) -> tuple[str, ...] | None:
                holds = all(getattr(row, name) in values for name, values in where.items())
                return tuple(getattr(row, name) for name in by) if holds else None

            def labelled(row: Reported) -> str | None:
                label = label_of.get((row.model, row.region))
                return None if label is None else str(label)

            for meter_id, aggregation in meters.items():
                all_of_it = expected(aggregation, lambda row: "all").get("all", (0, 0))
                assert exact(whole[number][meter_id]) == all_of_it
                assert {
                    (one.dimensions["model"], one.dimensions["region"]): exact(one.quantity)
                    for one in by_set[number][meter_id]
                } == expected(aggregation, lambda row: (row.model, row.region))
                for found, key in ((by_label, labelled), (by_values, grouped)):
                    mine = {group: exact(one) for (pk, group), one in found[number].items() if pk == meter_id}
                    assert mine == expected(aggregation, key)


@pytest.mark.parametrize(("known", "count"), [(True, 2), (False, 3)])
def test_asks_a_fixed_number_of_questions(meters: dict[int, str], known: bool, count: int) -> None:
    """The aggregations unless they are known, whether events of ragged ends are kept, and all totals."""
    customer = Customer.objects.get(external_id="chat")
    months = [
        (datetime(2026, month, 1, 3, 30, tzinfo=UTC), datetime(2026, month + 1, 1, tzinfo=UTC))
        for month in range(1, 12)
    ]
    with CaptureQueriesContext(connection) as queries:
        asked = meters if known else list(meters)
        quantities_over(customer_id=customer.pk, meter_ids=asked, periods=months, as_of=NOW)
    assert len(queries) == count
