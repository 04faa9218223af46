"""Old events are archived and dropped when nobody needs them; totals stay, and nothing counts twice."""

import hashlib
import json
import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from apps.catalog.models import Meter
from apps.core.errors import Refused
from apps.customers.models import Customer
from apps.tenants.models import Tenant
from apps.tenants.services.advance_clock import advance_clock
from apps.usage.jobs import register_usage_jobs
from apps.usage.models import (
    ArchivedPartition,
    BackfilledReading,
    DimensionSet,
    EventKey,
    QuarantinedEvent,
    RetentionCheck,
    RollupHour,
    UsageBackfill,
    UsageEvent,
    UsageSettings,
    VoidedEvent,
)
from apps.usage.selectors.kept import EventsArchived
from apps.usage.services import archive, archive_files, partitions, retention
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
from tests.harness.factories import an_event, make_customer, make_meter, make_plan, report
from tests.usage.retained import APRIL, FEBRUARY, JANUARY, MARCH, archived, check, keep, names, rows_of, used


@pytest.fixture(autouse=True)
def place(settings: Any, tmp_path: Path) -> Path:
    settings.USAGE_ARCHIVE_DIR = tmp_path / "archives"
    return tmp_path / "archives" / "acme"


@pytest.fixture
def no_holds(monkeypatch: pytest.MonkeyPatch) -> dict[str, retention.Hold]:
    holds: dict[str, retention.Hold] = {}
    monkeypatch.setattr(retention, "_holds", holds)
    return holds


@pytest.fixture
def three_months(chat: Customer, no_holds: dict[str, retention.Hold]) -> Customer:
    """Two events a month, January to March."""
    for month, start in enumerate((JANUARY, FEBRUARY, MARCH), 1):
        report(
            an_event(f"a{month}", timestamp=(start + timedelta(days=4, hours=10)).isoformat()),
            an_event(f"b{month}", timestamp=(start + timedelta(days=9, minutes=30)).isoformat()),
            now=APRIL,
        )
    assert names() == ["202601", "202602", "202603"]
    return chat


def ids() -> set[str]:
    return set(UsageEvent.objects.values_list("event_id", flat=True))


def test_without_a_limit_nothing_goes(three_months: Customer) -> None:
    assert retention.next_check_at() is None
    with nothing_changes_in("acme"):
        assert check(APRIL + timedelta(days=3650)) == 0


def test_what_ended_before_the_limit_is_archived_and_dropped(three_months: Customer, place: Path) -> None:
    keep(40)
    now = FEBRUARY + timedelta(days=40)
    with nothing_changes_in("globex", "public"):
        assert check(now) == 2  # a check, and a partition
    assert (names(), archived()) == (["202602", "202603"], ["202601"])
    assert ids() == {"a2", "b2", "a3", "b3"}
    assert EventKey.objects.count() == 4
    record = ArchivedPartition.objects.get()
    content = (place / record.file_name).read_bytes()
    assert (record.starts_at, record.ends_at, record.row_count) == (JANUARY, FEBRUARY, 2)
    assert (record.byte_size, record.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert [path.name for path in place.iterdir()] == ["usage_usageevent_202601.parquet"]
    assert record.archived_at == now
    assert ArchivedPartition.events_kept_from() == FEBRUARY


def test_a_partition_that_is_not_old_enough_as_a_whole_stays(three_months: Customer) -> None:
    keep(40)
    assert check(FEBRUARY + timedelta(days=40) - timedelta(seconds=1)) == 0
    assert archived() == []


def test_totals_of_whole_hours_and_days_stay(three_months: Customer) -> None:
    keep(40)
    before = used(three_months, JANUARY, APRIL)
    assert before == Decimal(6000)
    check(APRIL + timedelta(days=40))
    assert ids() == set()
    assert used(three_months, JANUARY, APRIL) == before
    assert used(three_months, JANUARY, JANUARY + timedelta(days=5)) == Decimal(1000)


def test_a_question_that_needs_dropped_events_is_refused(three_months: Customer) -> None:
    keep(40)
    check(APRIL)
    assert used(three_months, JANUARY, FEBRUARY) == 2000
    for start, end in (
        (JANUARY + timedelta(minutes=30), FEBRUARY),
        (JANUARY, FEBRUARY - timedelta(seconds=1)),
    ):
        with pytest.raises(Refused) as refused:
            used(three_months, start, end)
        assert refused.value.code == "events_archived"
    assert used(three_months, MARCH + timedelta(minutes=30), APRIL) == 2000


def test_a_second_run_changes_nothing(three_months: Customer) -> None:
    keep(40)
    now = FEBRUARY + timedelta(days=40)
    check(now)
    with nothing_changes_in("acme"):
        assert check(now) == 0
        assert check(now + timedelta(hours=23, minutes=59) - timedelta(hours=now.hour)) == 0


def test_it_is_due_once_a_day(three_months: Customer) -> None:
    keep(40)
    now = FEBRUARY + timedelta(days=40, hours=9)
    assert retention.next_check_at() == FEBRUARY + timedelta(days=40)
    check(now)
    assert retention.next_check_at() == MARCH + timedelta(days=40)
    check(MARCH + timedelta(days=41, hours=9))
    assert archived() == ["202601", "202602"]
    assert RetentionCheck.objects.get().checked_at == MARCH + timedelta(days=41, hours=9)


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


def test_events_are_kept_longer_than_they_may_be_backdated(in_acme: Tenant) -> None:
    """The database sees to it, whoever writes the row."""
    with pytest.raises(IntegrityError, match="usage_kept_longer_than_backdating"), transaction.atomic():
        keep(34, backdating=35)
    keep(35, backdating=35)
    assert UsageSettings.objects.get().retention_days == 35


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


# Corrections beside archives


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


# Holds


@pytest.mark.parametrize(
    ("needed", "expected"),
    [
        (JANUARY + timedelta(days=1), []),
        (FEBRUARY - timedelta(microseconds=1), []),
        (FEBRUARY, ["202601"]),
        (MARCH - timedelta(days=1), ["202601"]),
        (None, ["202601", "202602", "202603"]),
    ],
)
def test_what_another_app_needs_stays(
    three_months: Customer, no_holds: dict[str, retention.Hold], needed: datetime | None, expected: list[str]
) -> None:
    keep(40)
    retention.register_hold("disputes", lambda: needed)
    check(APRIL + timedelta(days=40))
    assert archived() == expected
    assert retention.cutoff_at(APRIL + timedelta(days=40), retention_days=40).held_by == (
        "" if needed is None else "disputes"
    )


def test_an_open_backfill_keeps_its_range(three_months: Customer) -> None:
    register_usage_jobs()
    keep(40)
    backfill = UsageBackfill.objects.create(
        starts_at=FEBRUARY, ends_at=MARCH, reason="late", actor_kind="system"
    )
    check(APRIL + timedelta(days=40))
    assert archived() == ["202601"]
    UsageBackfill.objects.filter(pk=backfill.pk).update(status="discarded", ended_at=APRIL)
    check(APRIL + timedelta(days=41))
    assert archived() == ["202601", "202602", "202603"]


@pytest.mark.parametrize("ask", ["backfill", "meter backfill", "limit"])
def test_what_is_asked_for_while_a_file_is_written_keeps_the_partition(
    three_months: Customer, monkeypatch: pytest.MonkeyPatch, ask: str
) -> None:
    register_usage_jobs()
    keep(40)
    write = archive_files.write

    def write_slowly(**wanted: Any) -> Any:
        if ask == "backfill":
            open_backfill(starts_at=FEBRUARY, ends_at=MARCH, reason="Lost", now=APRIL, mode="replace")
        elif ask == "meter backfill":
            request_backfill(meter=make_meter("younger"), starts_at=FEBRUARY, now=APRIL)
        else:
            keep(None)
        return write(**wanted)

    now = MARCH + timedelta(days=40)
    check(FEBRUARY + timedelta(days=40))
    monkeypatch.setattr(archive_files, "write", write_slowly)
    assert check(now) == 1
    assert (archived(), RetentionCheck.objects.get().problem) == (["202601"], "")
    assert used(three_months, FEBRUARY, MARCH) == Decimal(2000)


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


# What goes wrong


def test_a_file_that_reads_back_differently_drops_nothing(
    three_months: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(40)
    write = archive_files.write

    def spoil(**wanted: Any) -> Any:
        written = write(**wanted)
        path = archive_files.directory() / wanted["file_name"]
        content = bytearray(path.read_bytes())
        middle = content.index(b"a1")
        content[middle] ^= 1
        path.write_bytes(content)
        return written

    monkeypatch.setattr(archive_files, "write", spoil)
    monkeypatch.setattr(archive.settings, "USAGE_ARCHIVE_FORMAT", "parquet")
    before = ids()
    assert check(FEBRUARY + timedelta(days=40)) == 1
    assert (ids(), archived()) == (before, [])
    assert "usage_usageevent_202601" in RetentionCheck.objects.get().problem
    monkeypatch.setattr(archive_files, "write", write)
    assert check(FEBRUARY + timedelta(days=41)) == 2
    assert RetentionCheck.objects.get().problem == ""


def test_an_event_that_comes_between_file_and_drop_stops_the_drop(three_months: Customer) -> None:
    keep(100, backdating=100)
    made = archive.archive_partition(partitions.existing()[0])
    report(an_event("late", timestamp=(JANUARY + timedelta(days=8)).isoformat()), now=APRIL)
    with pytest.raises(archive.ArchiveError, match="has changed"):
        retention.drop(made, now=FEBRUARY + timedelta(days=100))
    assert "late" in ids()
    assert archived() == []
    assert EventKey.objects.count() == 7


def test_a_full_disk_drops_nothing(three_months: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(40)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert check(FEBRUARY + timedelta(days=40)) == 1
    assert (archived(), len(ids())) == ([], 6)
    assert "No space left" in RetentionCheck.objects.get().problem
    assert list(archive_files.directory().iterdir()) == []


def test_a_record_of_an_archive_is_a_fact(three_months: Customer) -> None:
    keep(40)
    check(FEBRUARY + timedelta(days=40))
    for statement in (
        "UPDATE usage_archivedpartition SET row_count = 0",
        "DELETE FROM usage_archivedpartition",
        "TRUNCATE usage_archivedpartition",
    ):
        with pytest.raises(IntegrityError, match="its rows are facts"), transaction.atomic():
            connection.cursor().execute(statement)


def test_a_sandbox_archives_as_its_clock_moves(
    in_sandbox: Tenant, no_holds: dict[str, retention.Hold]
) -> None:
    make_customer()
    make_plan()
    report(an_event("e1", timestamp="2026-01-01T00:00:00Z"))
    keep(40)
    advance_clock(tenant=in_sandbox, to=FEBRUARY + timedelta(days=39, hours=23))
    assert archived() == []
    done = advance_clock(tenant=in_sandbox, to=FEBRUARY + timedelta(days=40))
    assert archived() == ["202601"]
    assert done.jobs["retention"] == 2
    assert RetentionCheck.objects.get().checked_at == FEBRUARY + timedelta(days=40)
    # The checks of the days after that find nothing, and hold nobody up.
    advance_clock(tenant=in_sandbox, to=FEBRUARY + timedelta(days=50))
    assert archived() == ["202601"]
