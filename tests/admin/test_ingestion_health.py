"""The home page's numbers about ingestion, by hand, and how long they are kept."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.analytics.admin.ingestion import ingestion_of, lag_text, rate_text
from apps.analytics.ingestion import health_at, percent, trend_of
from apps.analytics.ingestion_chart import HEIGHT, chart_of
from apps.core import clock, jobs
from apps.tenants.models import Tenant
from apps.usage.models import IngestionMinute
from apps.usage.selectors.health import Counts
from tests.admin.business import Business
from tests.harness.clients import Staff
from tests.harness.factories import an_event, make_customer, make_meter, report

NOW = datetime(2026, 3, 10, 14, 30, 20, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def came_in(ago: timedelta, slot: int = 0, **counts: int) -> None:
    bucket = (NOW - ago).replace(second=0)
    IngestionMinute.objects.create(bucket=bucket, slot=slot, **counts)


def test_the_present_is_the_last_five_whole_minutes(in_acme: Tenant) -> None:
    came_in(timedelta(), accepted=9000, lag_ms=1)
    came_in(MINUTE, accepted=200, lag_ms=100_000)
    came_in(MINUTE, slot=7, accepted=100, lag_ms=50_000)
    came_in(5 * MINUTE, accepted=300, lag_ms=30_000)
    came_in(6 * MINUTE, accepted=5000, lag_ms=1)
    health = health_at(NOW)
    assert (health.per_second, health.present.accepted) == (Decimal(2), 600)
    assert health.lag == timedelta(milliseconds=300)
    assert health.last_hour.accepted == 14_600
    assert len(health.minutes) == 60
    assert (len(health.hours), health.hours[-1][0]) == (24, NOW.replace(minute=0, second=0))


def test_shares_are_of_the_last_day(in_acme: Tenant) -> None:
    came_in(2 * HOUR, accepted=900, duplicates=80, conflicts=3, quarantined=12, rejected=5, late=9)
    came_in(30 * HOUR, accepted=5000, duplicates=5000, late=5000)
    shares = {one["name"]: one["value"] for one in ingestion_of(NOW)["shares"]}
    assert shares == {
        "Duplicates": "8 %", "Late": "1 %", "Quarantined": "1.2 %", "Conflicts": "3", "Rejected": "5",
    }  # fmt: skip


def test_what_was_counted_is_what_was_answered(in_acme: Tenant) -> None:
    make_meter()
    make_customer()
    now = clock.now()
    late = (now - 3 * HOUR).isoformat()
    events = [
        an_event("a", timestamp=late),
        an_event("b", timestamp=None),
        an_event("c", customer="nobody", timestamp=late),
    ]
    report(*events, events[0], {**events[0], "event": "other"}, {"id": "bad"}, now=now)
    day = health_at(clock.real_now()).last_day
    assert (day.accepted, day.late, day.duplicates, day.conflicts, day.quarantined, day.rejected) == (
        2,
        1,
        1,
        1,
        1,
        1,
    )
    assert day.lag_ms == 3 * 3_600_000


@pytest.mark.parametrize(
    ("accepted", "former", "seen"),
    [
        (1000, [100, 500, 300, 90], "spike"),
        (100, [1000, 500, 300], "drop"),
        (0, [1000, 500, 300], "drop"),
        (500, [400, 500, 600], ""),
        (30, [10, 10, 10], ""),  # too few to speak of
    ],
)
def test_an_hour_beside_the_usual(accepted: int, former: list[int], seen: str) -> None:
    trend = trend_of(accepted, former)
    assert trend is not None
    assert (trend.is_spike, trend.is_drop) == (seen == "spike", seen == "drop")


def test_the_usual_is_the_middle_of_former_days(in_acme: Tenant) -> None:
    came_in(10 * MINUTE, accepted=900)
    for days, accepted in ((1, 100), (2, 300), (3, 5000)):
        came_in(days * DAY + 10 * MINUTE, accepted=accepted)
        came_in(days * DAY + 2 * HOUR, accepted=7)
    trend = health_at(NOW).trend
    assert trend is not None
    assert (trend.accepted, trend.usual, trend.factor) == (900, 300, Decimal("3.0"))
    row = ingestion_of(NOW)["trend"]
    assert row["badge"] == "Spike: 3 times the usual"
    assert trend_of(900, [100, 300]) is None


def test_bars_stand_on_each_other() -> None:
    counts = [(NOW, Counts(accepted=80, late=20, duplicates=20)), (NOW, Counts()), (NOW, Counts(accepted=1))]
    first, empty, small = chart_of("x", counts).columns
    assert [(one.kind, str(one.y), str(one.height)) for one in first.pieces] == [
        ("in-time", "38.4", "57.6"), ("late", "19.2", "19.2"), ("duplicate", "0.0", "19.2"),
    ]  # fmt: skip
    assert empty.pieces == []
    assert (small.pieces[0].height, small.pieces[0].y) == (2, HEIGHT - 2)


def test_words() -> None:
    assert [percent(*one) for one in ((0, 9), (1, 0), (1, 100_000), (1, 3), (10, 10))] == [
        "0 %", "0 %", "< 0.1 %", "33.3 %", "100 %",
    ]  # fmt: skip
    assert [rate_text(Decimal(one)) for one in ("0", "0.001", "0.257", "3.44", "1250.4")] == [
        "0", "< 0.01", "0.26", "3.4", "1,250",
    ]  # fmt: skip
    assert [lag_text(timedelta(seconds=one)) for one in (0, 1.27, 119, 121, 7300, 200_000)] == [
        "0.0 s", "1.2 s", "119.0 s", "2 min", "2 h", "2 days",
    ]  # fmt: skip
    assert lag_text(None) == "–"


def test_the_home_page_shows_it(olga: Staff, business: Business) -> None:
    content = olga.get("/admin/").content.decode()
    for words in ("Events a second", "Last 60 minutes", "Last 24 hours", "age on arrival"):
        assert words in content


def test_an_idle_tenant_is_taught(olga: Staff, business: Business) -> None:
    IngestionMinute.objects.all().delete()
    content = olga.get("/admin/").content.decode()
    assert "Nothing came in during the last 24 hours" in content
    assert "curl http://acme.localhost/api/v1/events" in content


def test_it_takes_three_queries(business: Business) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            health_at(NOW)
        return len(captured)

    assert queries() == 3
    for minutes in range(200):
        came_in(minutes * 7 * MINUTE, accepted=1)
    assert queries() == 3


def test_minutes_are_kept_for_five_weeks(in_acme: Tenant) -> None:
    present = clock.real_now().replace(second=0, microsecond=0)
    for days in (0, 34, 36, 400):
        IngestionMinute.objects.create(bucket=present - days * DAY, slot=0, accepted=1)
    done = jobs.run_due_jobs(clock.now())
    assert done["forget_minutes"] == 0
    assert {(present - one).days for one in IngestionMinute.objects.values_list("bucket", flat=True)} == {
        0,
        34,
    }


def test_another_tenants_traffic_is_not_counted(stan: Staff, business: Business) -> None:
    assert "ingestion" in stan.get("/admin/").context
    assert stan.get("/admin/").context["ingestion"]["is_idle"]
