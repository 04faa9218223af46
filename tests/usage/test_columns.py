"""Events read together are the rows that each of them is when it is read by itself."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from apps.usage.services import columns
from apps.usage.services.columns import Columns, read_columns
from apps.usage.services.memory import EventPlan, Memory, Shape, ShapeReading
from apps.usage.services.reading import read_fast
from apps.usage.services.validate import micros_of
from apps.usage.wire.event import WireEvent

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BOUNDS = {"earliest": micros_of(NOW - timedelta(days=35)), "latest": micros_of(NOW + timedelta(minutes=5))}

# A new name, a NUL, half a surrogate pair, an escape, a line's end: all that texts can bring.
texts = st.one_of(st.sampled_from(["", "a", "é", "\0", "\ud800", "\n", '"', "x" * 256]), st.text(max_size=3))
numbers = st.one_of(
    st.integers(-1, 10**19 + 1),
    st.sampled_from(
        [10**19 - 1, 10**19, 10**4000, True, Decimal("0.5"), Decimal("1e1001"), Decimal("1E+3"), "12", "-1"]
    ),
)
stamps = st.one_of(
    st.none(),
    st.sampled_from([
        "2026-03-01T11:59:59Z", "2026-02-28T11:59:59.123456Z", "2026-02-28T11:59:59.1234567Z", "2026-02-28t11:59:59z",
        "2026-02-28T11:59:59+00:00", "2026-02-28T11:59:59.5+05:30", "2026-02-30T11:59:59Z", "2026-02-28T24:00:00Z",
        "2026-02-28T11:59:60Z", "20260228T115959Z", "2026-W09-1T11:59:59Z",
        "2026-03-01T11:59:59Z\n2026-03-01T11:59:59Z", "2020-01-01T00:00:00Z", "2027-01-01T00:00:00Z",
        "２026-03-01T11:59:59Z", "",
    ]),
)  # fmt: skip
usual = st.fixed_dictionaries(
    {"model": st.sampled_from(["a", "b"]), "tokens": st.integers(0, 99), "note": st.just("n")}
)
events = st.builds(
    WireEvent,
    id=texts,
    event=st.sampled_from(["call", "call", "call", "unknown"]),
    customer=st.sampled_from(["one", "two", "nobody"]),
    timestamp=stamps,
    source=st.sampled_from([None, "", "app"]),
    properties=st.one_of(
        usual,
        usual,
        st.none(),
        st.fixed_dictionaries(
            {"model": st.one_of(texts, st.just(["a"])), "tokens": numbers},
            optional={"note": st.one_of(texts, numbers, st.none(), st.just({"a": 1}))},
        ),
    ),
)
GOOD = [
    WireEvent(
        f"id-{number}", "call", "one", "2026-03-01T11:59:59.5Z", None, {"model": "a", "tokens": number, "note": "n"}
    )
    for number in range(20)
]  # fmt: skip


def a_memory() -> Memory:
    """It knows the models a and b of events with and without a note, from nowhere and from the app."""
    memory = Memory(1, {}, timedelta(days=35), days_before=0)
    plan = memory.plans["call"] = EventPlan([], ("model",), ())
    memory.customers = {"one": 1, "two": 2}
    number = 0
    for source in ("", "app"):
        for names in (("model", "tokens", "note"), ("model", "tokens"), ("tokens", "model")):
            for model in ("a", "b"):
                number += 1
                kept = tuple(sorted(set(names) - {"model"}))
                readings = (
                    ShapeReading(1, number, "sum", "tokens", kept.index("tokens")),
                    *([ShapeReading(2, number, "count", None, 9)] if model == "b" else []),
                )
                shape = Shape(number, kept, readings, is_additive=True, is_plain=True)
                plan.remember((source, names, (model,)), shape)
    return memory


def assert_same(found: list[Any]) -> None:
    memory = a_memory()
    one_by_one, left = read_fast(found, memory, now=NOW, **BOUNDS)
    groups, rest = read_columns(found, memory, now=NOW, **BOUNDS)
    more, still_left = read_fast(found, memory, now=NOW, **BOUNDS, positions=rest)
    rows = [row for group in groups for row in group.rows()] + more
    assert sorted(rows, key=lambda row: row.position) == one_by_one
    assert still_left == left
    assert not set(rest) & {row.position for group in groups for row in group.rows()}
    stored = Columns.of(groups, more)
    keys = [row.key for row in one_by_one]
    if len(set(keys)) < len(keys):
        assert stored is None
    else:
        assert stored is not None
        by_key = sorted(one_by_one)
        assert stored.keys == [row.key for row in by_key]
        assert stored.contents == [row.content for row in by_key]
        assert stored.micros == [row.micros for row in by_key]
        assert stored.customer_ids == [row.customer_id for row in by_key]
        assert stored.shape_ids == [row.shape.pk for row in by_key]
        assert stored.event_ids == [row.event_id for row in by_key]
        assert stored.property_values == [row.property_values for row in by_key]


@settings(max_examples=400, deadline=None)
@given(st.lists(events, max_size=12), st.booleans())
@example([], True)
@example([GOOD[0]], True)
def test_together_they_are_what_they_are_alone(found: list[Any], has_good: bool) -> None:
    # Enough of one kind that it is worth while to put them together.
    assert_same([*found, *GOOD] if has_good else found)


@settings(max_examples=200, deadline=None)
@given(events)
def test_many_of_one_kind(event: WireEvent) -> None:
    assert_same([event] * 9)
    assert_same([WireEvent(f"{number}", *list_of(event)[1:]) for number in range(9)])


def list_of(event: WireEvent) -> list[Any]:
    return [getattr(event, name) for name in event.__struct_fields__]


def test_usual_events_are_all_read_together() -> None:
    """So that the others of this file say something."""
    groups, left = read_columns(GOOD, a_memory(), now=NOW, **BOUNDS)
    assert [len(group.keys) for group in groups] == [20]
    assert left == []


def test_plain_values_and_few_events_are_left() -> None:
    memory = a_memory()
    plain: list[Any] = [{"id": "a"}, 5, None] * 5
    assert read_columns(plain, memory, now=NOW, **BOUNDS) == ([], list(range(15)))
    assert read_columns(GOOD[: columns.WORTHWHILE - 1], memory, now=NOW, **BOUNDS)[0] == []
