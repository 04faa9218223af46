"""Partitions of the events are there before the first event needs them, by the tenant's own clock."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from apps.core import clock, jobs
from apps.tenants.models import Tenant
from apps.tenants.services.advance_clock import advance_clock
from apps.usage.models import UsageEvent, UsageSettings
from apps.usage.services import partitions
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import an_event, make_customer, make_plan, report

Span = UsageSettings.PartitionSpan


def names() -> list[str]:
    """Without what all of them begin with."""
    return [one.name.removeprefix(f"{partitions.TABLE}_") for one in partitions.existing()]


def switch_to(span: str) -> None:
    UsageSettings.objects.update_or_create(pk=1, defaults={"partition_span": span})


def advance(tenant: Tenant, to: datetime) -> None:
    advance_clock(tenant=tenant, to=to)


def test_this_month_and_the_next_are_there(in_sandbox: Tenant) -> None:
    advance(in_sandbox, clock.now())
    assert names() == ["202601", "202602"]


def test_running_it_again_changes_nothing(in_sandbox: Tenant) -> None:
    assert partitions.make_ahead(clock.now()) == 2
    with nothing_changes_in("sandbox", "acme"):
        assert partitions.make_ahead(clock.now()) == 0
    assert names() == ["202601", "202602"]


def test_the_next_one_is_due_when_a_month_begins(in_sandbox: Tenant) -> None:
    assert partitions.next_making_at() <= clock.now()
    partitions.make_ahead(clock.now())
    assert partitions.next_making_at() == datetime(2026, 2, 1, tzinfo=UTC)


def test_months_are_made_as_the_clock_passes_their_ends(in_sandbox: Tenant) -> None:
    advance(in_sandbox, datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC))
    assert names() == ["202601", "202602", "202603"]
    advance(in_sandbox, datetime(2026, 3, 1, tzinfo=UTC))
    assert names()[-1] == "202604"
    advance(in_sandbox, datetime(2026, 12, 31, tzinfo=UTC))
    assert names()[-2:] == ["202612", "202701"]


def test_days_are_made_as_the_clock_passes_midnight(in_sandbox: Tenant) -> None:
    switch_to(Span.DAY)
    advance(in_sandbox, datetime(2026, 1, 1, 23, 59, 59, tzinfo=UTC))
    assert names() == ["20260101", "20260102", "20260103"]
    advance(in_sandbox, datetime(2026, 1, 2, tzinfo=UTC))
    assert names()[-1] == "20260104"


def test_days_are_made_over_the_end_of_a_month(in_sandbox: Tenant) -> None:
    switch_to(Span.DAY)
    advance(in_sandbox, datetime(2026, 2, 1, 0, 0, 1, tzinfo=UTC))
    assert names()[0] == "20260101"
    assert names()[-5:] == ["20260130", "20260131", "20260201", "20260202", "20260203"]
    assert len(names()) == 31 + 3


def test_months_stay_when_days_are_chosen(in_sandbox: Tenant) -> None:
    advance(in_sandbox, clock.now())
    switch_to(Span.DAY)
    advance(in_sandbox, datetime(2026, 2, 27, 12, tzinfo=UTC))
    assert names() == ["202601", "202602", "20260301"]
    assert jobs.next_due_at() == datetime(2026, 2, 28, tzinfo=UTC)


def test_days_fill_a_month_that_was_begun_with_them(in_sandbox: Tenant) -> None:
    """There and back: a month takes no place where days are."""
    switch_to(Span.DAY)
    advance(in_sandbox, datetime(2026, 1, 30, 12, tzinfo=UTC))
    assert names()[-1] == "20260201"
    switch_to(Span.MONTH)
    advance(in_sandbox, datetime(2026, 2, 1, tzinfo=UTC))
    february = [name for name in names() if name.startswith("202602")]
    assert february == [f"202602{day:02}" for day in range(1, 29)]
    assert names()[-1] == "202603"
    edges = partitions.existing()
    assert all(one.end == other.start for one, other in pairwise(edges))


def test_an_event_after_midnight_makes_no_partition(in_sandbox: Tenant) -> None:
    make_customer()
    make_plan()
    switch_to(Span.DAY)
    advance(in_sandbox, datetime(2026, 1, 1, 23, 59, 59, tzinfo=UTC))
    before = names()
    (verdict,) = report(an_event(timestamp=(clock.now() + timedelta(seconds=2)).isoformat()))
    assert verdict.status == "accepted"
    assert names() == before
    assert UsageEvent.objects.get().timestamp.isoformat() == "2026-01-02T00:00:01+00:00"


def test_a_live_tenant_follows_the_real_clock(in_acme: Tenant) -> None:
    jobs.run_due_jobs(clock.now())
    this = partitions.month_of(clock.now())
    assert {this, partitions.month_of(this.end)} <= set(partitions.existing())


def test_what_is_remembered_is_looked_up_again(
    fresh_database: str, in_acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may have dropped a partition since."""
    at = datetime(2026, 1, 15, tzinfo=UTC)
    second = 1_000
    monkeypatch.setattr(partitions.time, "monotonic", lambda: second)
    partitions.ensure_partitions([at])
    dropped = partitions.month_of(at)
    partitions.connection.cursor().execute(f"DROP TABLE {dropped.name}")
    assert partitions.ensure_partitions([at]) == []
    second += partitions.REMEMBERED_SECONDS
    assert partitions.ensure_partitions([at]) == [dropped]
