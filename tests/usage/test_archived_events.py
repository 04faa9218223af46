"""Events that are archived: complete in their file, out of reach for corrections, and still in all totals."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from apps.catalog.models import Meter
from apps.core.errors import Refused
from apps.customers.models import Customer
from apps.usage.models import (
    ArchivedPartition,
    BackfilledReading,
    DimensionSet,
    EventKey,
    QuarantinedEvent,
    RollupHour,
    UsageEvent,
    VoidedEvent,
)
from apps.usage.selectors.kept import EventsArchived
from apps.usage.services import retention
from apps.usage.services.corrections.amend_event import amend_event
from apps.usage.services.corrections.backfills import open_backfill
from apps.usage.services.corrections.close_backfill import close_backfill
from apps.usage.services.corrections.stage_events import stage_events
from apps.usage.services.corrections.void_event import void_event
from apps.usage.services.meter_backfill.request import request_backfill
from apps.usage.services.meter_backfill.run import run_backfill
from apps.usage.services.replay_quarantine import Replayed, replay_quarantine
from apps.usage.services.rollups import recompute
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import an_event, make_customer, make_meter, report
from tests.usage.retained import APRIL, FEBRUARY, JANUARY, MARCH, archived, check, keep, names, rows_of, used

pytestmark = pytest.mark.usefixtures("archive_place")


@pytest.mark.parametrize("format_name", ["parquet", "csv"])
def test_an_archived_event_is_complete(
    chat: Customer, no_holds: dict[str, retention.Hold], settings: Any, format_name: str
) -> None:
    settings.USAGE_ARCHIVE_FORMAT = format_name
    make_meter("images", event_name="image", value_property="n", dimensions=["size", "hd"])
    odd = 'a "quoted",\nbroken; ü text'
    properties = {
        "n": Decimal("1.50"),
        "size": "s",
        "hd": True,
        "note": odd,
        "nothing": None,
        "deep": {"a": [1, "x"]},
        "": "",
    }
    report(
        an_event("e1", event="image", source="gateway", properties=properties),
        an_event("e2", timestamp="2026-01-31T23:59:59.999999Z"),
        now=FEBRUARY,
    )
    keep(40)
    assert check(FEBRUARY + timedelta(days=40)) == 2
    record = ArchivedPartition.objects.get()
    first, second = rows_of(record)
    assert (first["source"], first["event"], first["customer"]) == ("gateway", "image", "chat")
    assert json.loads(first["properties"], parse_float=Decimal) == properties
    assert json.loads(first["readings"]) == [
        {"meter": "images", "dimensions": {"hd": "true", "size": "s"}, "value": "1.50"}
    ]
    assert {one["meter"]: one["value"] for one in json.loads(second["readings"])} == {
        "input_tokens": "1000",
        "output_tokens": "100",
    }
    last = datetime(2026, 1, 31, 23, 59, 59, 999999, tzinfo=UTC)
    micros = (last - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert second["timestamp"] == (last if format_name == "parquet" else str(micros))
    assert not second["voided_at"]
    assert int(second["revision"]) == 0


def test_a_later_reading_goes_into_the_file_and_out_of_the_table(three_months: Customer) -> None:
    keep(40)
    event = UsageEvent.objects.get(event_id="a1")
    later = make_meter("later", value_property="input_tokens")
    BackfilledReading.objects.create(
        customer_id=event.customer_id,
        timestamp=event.timestamp,
        meter_id=later.pk,
        event_id="a1",
        shape_id=event.shape_id,
        dimension_set_id=DimensionSet.objects.first().pk,  # type: ignore[union-attr]
        value="7",
    )
    check(FEBRUARY + timedelta(days=40))
    assert not BackfilledReading.objects.exists()
    row, _ = rows_of(ArchivedPartition.objects.get())
    assert {one["meter"]: one["value"] for one in json.loads(row["readings"])}["later"] == "7"


def test_an_archived_event_that_is_sent_again_is_refused_for_its_age(three_months: Customer) -> None:
    keep(40)
    now = FEBRUARY + timedelta(days=40)
    check(now)
    with nothing_changes_in("acme"):
        (verdict,) = report(
            an_event("a1", timestamp=(JANUARY + timedelta(days=4, hours=10)).isoformat()), now=now
        )
    assert (verdict.status, verdict.code) == ("rejected", "timestamp_too_old")


def test_an_event_that_waits_keeps_its_key_and_does_not_count_any_more(three_months: Customer) -> None:
    """Totals could not be read anew there, and no invoice looks so far back."""
    waiting = an_event("w", customer="nobody", timestamp=(JANUARY + timedelta(days=6)).isoformat())
    later = an_event("later", customer="nobody", timestamp=(FEBRUARY + timedelta(days=6)).isoformat())
    report(waiting, later, now=APRIL)
    keep(40)
    now = FEBRUARY + timedelta(days=40)
    check(now)
    nobody = make_customer("nobody")
    done = replay_quarantine(events=QuarantinedEvent.objects.all(), now=now)
    assert done == Replayed(replayed=1, waiting=1)
    kept = QuarantinedEvent.objects.get(event_id="w")
    assert (kept.status, kept.reason) == ("waiting", "events_archived")
    assert names() == ["202602", "202603"]
    assert (used(nobody, JANUARY, FEBRUARY), used(nobody, FEBRUARY, MARCH)) == (Decimal(0), Decimal(1000))


def test_an_event_between_archived_ones_does_not_change_their_area(
    chat: Customer, no_holds: dict[str, retention.Hold]
) -> None:
    """A level has to be read anew where events interleave, and those of January are gone."""
    storage = make_meter("storage", aggregation="time_weighted_sum", event_name="level", value_property="gb")

    def level(name: str, minute: int, gb: int, **fields: Any) -> dict[str, Any]:
        at = JANUARY + timedelta(days=4, hours=10, minutes=minute)
        return an_event(name, event="level", timestamp=at.isoformat(), properties={"gb": gb}, **fields)

    report(level("l1", 5, 100), level("l2", 50, 10), now=FEBRUARY)
    waiting = level("w", 30, 5, customer="late")
    # A client that does not send the time finds its event at the time when it first came in.
    untimed = an_event("u", event="level", customer="late", timestamp=None, properties={"gb": 7})
    report(waiting, now=FEBRUARY)
    report(untimed, now=JANUARY + timedelta(days=4, hours=10, minutes=40))
    keep(40)
    now = FEBRUARY + timedelta(days=40)
    check(now)
    assert archived() == ["202601"]
    Customer.objects.filter(pk=chat.pk).update(external_id="late")
    totals = RollupHour.objects.filter(meter_id=storage.pk).values_list("quantity", "event_count")
    before = list(totals)
    assert replay_quarantine(events=QuarantinedEvent.objects.all(), now=now) == Replayed(
        replayed=0, waiting=2
    )
    (verdict,) = report(untimed, now=now)
    assert (verdict.status, verdict.code) == ("quarantined", "events_archived")
    assert list(totals.all()) == before


def test_totals_of_archived_events_are_never_read_anew(three_months: Customer) -> None:
    """Whatever asks for it."""
    keep(40)
    check(FEBRUARY + timedelta(days=40))
    meter = Meter.objects.get(code="input_tokens")
    hour = JANUARY + timedelta(days=4, hours=10)
    with pytest.raises(EventsArchived), transaction.atomic():
        recompute(customer_id=three_months.pk, meter_ids=[meter.pk], hours=[hour])
    assert used(three_months, JANUARY, FEBRUARY) == Decimal(2000)


def test_an_event_is_not_amended_into_an_archived_month(three_months: Customer) -> None:
    keep(40)
    check(FEBRUARY + timedelta(days=40))
    with nothing_changes_in("acme"), pytest.raises(Refused) as refused:
        amend_event(
            event_id="a2",
            changes={"timestamp": JANUARY + timedelta(days=4, hours=10, minutes=1)},
            reason="Wrong month",
            now=APRIL,
        )
    assert (refused.value.code, refused.value.param) == ("events_archived", "/timestamp")


def test_an_id_is_known_as_long_as_a_revision_of_it_counts(
    chat: Customer, no_holds: dict[str, retention.Hold]
) -> None:
    untimed = an_event("moved", timestamp=None)
    report(untimed, now=JANUARY + timedelta(days=30, hours=23))
    amend_event(
        event_id="moved",
        changes={"timestamp": FEBRUARY + timedelta(hours=1)},
        reason="Sent before midnight",
        now=MARCH,
    )
    # Back and forth: the one in the middle is archived with the first.
    report(an_event("b"), now=FEBRUARY)
    for at in (JANUARY + timedelta(days=20), FEBRUARY + timedelta(days=1)):
        amend_event(event_id="b", changes={"timestamp": at}, reason="Wrong time", now=MARCH)
    report(an_event("gone"), now=FEBRUARY)
    amend_event(
        event_id="gone", changes={"properties": {"input_tokens": 1}}, reason="Wrong number", now=MARCH
    )
    keep(40)
    now = FEBRUARY + timedelta(days=40)
    check(now)
    assert archived() == ["202601"]
    with nothing_changes_in("acme"):
        (verdict,) = report(untimed, now=now)
    assert verdict.status == "duplicate"
    assert used(chat, FEBRUARY, APRIL) == Decimal(2000)
    assert EventKey.objects.count() == 5  # of two ids with two and three revisions
    assert VoidedEvent.objects.count() == 3
    # It can still be corrected, and its number is the next one.
    correction = amend_event(event_id="b", changes={"properties": {"input_tokens": 7}}, reason="R", now=now)
    assert correction.changes["revision"] == 3
    void_event(event_id="moved", reason="After all", now=now)
    assert used(chat, FEBRUARY, APRIL) == Decimal(7)
    check(MARCH + timedelta(days=41))
    assert archived() == ["202601", "202602"]
    assert (EventKey.objects.count(), VoidedEvent.objects.count()) == (0, 0)


def test_a_backfill_is_not_closed_against_an_archived_month(three_months: Customer) -> None:
    """No hold here, as if it had been opened in the same moment."""
    keep(40)
    backfill = open_backfill(starts_at=JANUARY, ends_at=FEBRUARY, reason="Lost", now=APRIL, mode="replace")
    stage_events(
        backfill=backfill,
        events=[an_event("n", timestamp=(JANUARY + timedelta(days=4, hours=10)).isoformat())],
        now=APRIL,
    )
    check(FEBRUARY + timedelta(days=40))
    assert archived() == ["202601"]
    with nothing_changes_in("acme"), pytest.raises(Refused, match="were archived") as refused:
        close_backfill(backfill=backfill, now=APRIL)
    assert refused.value.code == "events_archived"


@pytest.mark.parametrize("start", [None, JANUARY])
def test_a_meter_does_not_read_what_is_archived(three_months: Customer, start: datetime | None) -> None:
    keep(40)
    check(FEBRUARY + timedelta(days=40))
    younger = make_meter("younger", value_property="input_tokens")
    with nothing_changes_in("acme"), pytest.raises(Refused) as refused:
        request_backfill(meter=younger, starts_at=start, now=APRIL)
    assert (refused.value.code, refused.value.param) == ("events_archived", "/start")
    asked = request_backfill(meter=younger, starts_at=FEBRUARY, now=APRIL)
    done = run_backfill(backfill_id=asked.pk, now=APRIL)
    assert (done.status, done.readings_added) == ("done", 4)


def test_a_meter_whose_events_are_archived_under_it_says_so(three_months: Customer) -> None:
    """Without the hold, which keeps them."""
    keep(40)
    asked = request_backfill(meter=make_meter("younger", value_property="input_tokens"), now=APRIL)
    check(FEBRUARY + timedelta(days=40))
    done = run_backfill(backfill_id=asked.pk, now=APRIL)
    assert (done.status, done.readings_added) == ("failed", 0)
    assert "archived" in done.error
