"""The limit of a key: a bucket that fills by the second, exact however many take from it."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.conf import LazySettings
from django.db.models import F

from apps.access.models import ApiKey, RateBucket, Scope
from apps.access.services.api_keys import NewKey, change_limits, create_api_key
from apps.access.services.rate_limit import BatchExceedsBurst, Limit, RateLimited, limit_of, take
from apps.audit.models import AuditEntry
from apps.tenants.models import Tenant
from apps.usage.models import UsageEvent
from tests.concurrency.together import returned, together
from tests.harness.clients import Api, Staff
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import an_event, make_customer, make_plan


@pytest.fixture
def new(in_acme: Tenant) -> NewKey:
    """A key for 10 events a second and 100 at once."""
    return create_api_key(
        tenant=in_acme, name="CI", scopes=[Scope.EVENTS_WRITE], events_per_second=10, burst_events=100
    )


@pytest.fixture
def api_key(new: NewKey) -> ApiKey:
    return new.api_key


def wait(**time: int) -> None:
    """Let the buckets believe that so much time has passed."""
    RateBucket.objects.update(filled_at=F("filled_at") - timedelta(**time))


def passes(api_key: ApiKey, events: int) -> bool:
    try:
        take(api_key=api_key, events=events)
    except RateLimited:
        return False
    return True


def test_without_a_limit_nothing_is_counted(in_acme: Tenant) -> None:
    free = ApiKey.objects.get(name="Default")
    assert limit_of(free) is None
    take(api_key=free, events=10**9)
    assert not RateBucket.objects.exists()


def test_gives_the_burst_at_once_and_then_the_rate(api_key: ApiKey) -> None:
    assert passes(api_key, 60)
    assert passes(api_key, 40)
    assert not passes(api_key, 10)
    wait(seconds=1)
    assert passes(api_key, 10)
    assert not passes(api_key, 10)


def test_a_refusal_costs_nothing(api_key: ApiKey) -> None:
    assert passes(api_key, 95)
    assert not any(passes(api_key, 50) for _ in range(5))
    assert passes(api_key, 5)


def test_holds_no_more_than_the_burst(api_key: ApiKey) -> None:
    assert passes(api_key, 1)
    wait(days=1)
    assert passes(api_key, 100)
    assert not passes(api_key, 10)


def test_counts_fractions_of_an_event(api_key: ApiKey) -> None:
    assert passes(api_key, 100)
    for _ in range(4):
        wait(milliseconds=250)
        passes(api_key, 99)
    assert passes(api_key, 10)


def test_says_in_whole_seconds_when_it_would_pass(api_key: ApiKey) -> None:
    assert passes(api_key, 100)
    RateBucket.objects.update(tokens=Decimal(0), filled_at=F("filled_at") + timedelta(hours=1))
    with pytest.raises(RateLimited) as caught:
        take(api_key=api_key, events=51)
    assert caught.value.headers == {
        "Retry-After": "6",
        "RateLimit-Limit": "100",
        "RateLimit-Remaining": "0",
        "RateLimit-Reset": "6",
    }


def test_a_batch_that_can_never_pass_is_not_told_to_wait(api_key: ApiKey) -> None:
    with pytest.raises(BatchExceedsBurst) as caught:
        take(api_key=api_key, events=101)
    assert (caught.value.status, caught.value.code) == (413, "batch_exceeds_burst")
    assert not RateBucket.objects.exists()


@pytest.mark.parametrize(
    ("own", "installation", "expected"),
    [
        ((None, None), None, None),
        ((None, 5), None, None),
        ((7, 5), None, Limit(7, 5)),
        ((7, None), 3, Limit(7, 1000)),
        ((None, None), 3, Limit(3, 1000)),
        ((None, 5), 3, Limit(3, 5)),
        ((5000, None), None, Limit(5000, 5000)),
    ],
)
def test_the_key_comes_before_the_installation(
    settings: LazySettings,
    own: tuple[int | None, int | None],
    installation: int | None,
    expected: Limit | None,
) -> None:
    settings.INGESTION_RATE_LIMIT = installation
    assert limit_of(ApiKey(events_per_second=own[0], burst_events=own[1])) == expected


def test_a_new_limit_holds_at_once(api_key: ApiKey) -> None:
    assert passes(api_key, 100)
    narrower = change_limits(api_key=api_key, events_per_second=10, burst_events=20)
    wait(hours=1)
    assert passes(narrower, 20)
    assert not passes(narrower, 10)
    assert passes(change_limits(api_key=api_key, events_per_second=None, burst_events=None), 10**6)
    entry = AuditEntry.objects.filter(action="api_key.limits_changed").earliest("id")
    assert entry.changes == {"burst_events": ["100", "20"]}


def test_who_is_too_fast_is_told_and_stores_nothing(new: NewKey) -> None:
    make_customer()
    make_plan()
    api = Api(new.key)
    assert api.report(*(an_event(f"e{number}") for number in range(95)))["accepted"] == 95
    RateBucket.objects.update(filled_at=F("filled_at") + timedelta(hours=1))
    with nothing_changes_in("acme"):
        response = api.post("/events", {"events": [an_event(f"late{number}") for number in range(30)]})
    assert (response.status_code, response.json()["code"]) == (429, "rate_limited")
    assert response["Retry-After"] == "3"
    assert UsageEvent.objects.count() == 95
    response = api.post("/events", {"events": [an_event(f"x{number}") for number in range(101)]})
    assert (response.status_code, response.json()["code"]) == (413, "batch_exceeds_burst")


def test_many_at_once_get_no_more_than_there_is(fresh_database: str, acme: Tenant, in_acme: Tenant) -> None:
    api_key = create_api_key(
        tenant=in_acme, name="CI", scopes=[], events_per_second=1, burst_events=1000
    ).api_key

    def take_some(size: int) -> Callable[[], int]:
        return lambda: sum(size * passes(api_key, size) for _ in range(60))

    taken = sum(returned(together(acme, [take_some(size) for size in (1, 2, 3, 5, 7, 11)])))
    # Whatever the second of the test brought besides.
    assert 989 < taken <= 1010


def test_staff_change_it_and_the_audit_says_so(olga: Staff, api_key: ApiKey) -> None:
    url = f"/admin/access/apikey/{api_key.pk}/limit/"
    assert "10 events/s, 100 at once" in olga.get(url).content.decode()
    assert olga.post(url, {"events_per_second": "0", "burst_events": ""}).status_code == 200
    assert olga.post(url, {"events_per_second": "2500", "burst_events": ""}).status_code == 302
    api_key.refresh_from_db()
    assert (api_key.events_per_second, api_key.burst_events) == (2500, None)
    assert "2,500 events/s, 2,500 at once" in olga.get("/admin/access/apikey/").content.decode()
    entries = AuditEntry.objects.filter(action="api_key.limits_changed")
    assert Counter(entry.actor for entry in entries) == {"olga@acme.example": 1}
