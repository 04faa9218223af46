"""A subscription that can't be billed is set aside with its reason; the others and the clock go on."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DataError, IntegrityError, OperationalError, transaction
from psycopg.errors import QueryCanceled

from apps.audit.models import AuditEntry
from apps.core import clock
from apps.core.errors import Invalid, Refused
from apps.invoices import due
from apps.invoices.models import BillingRun, Invoice, ParkedSubscription
from apps.invoices.services.close_periods import close_due_periods, close_now, open_due_subscriptions
from apps.invoices.services.park_subscription import release_all, release_parked
from apps.rating import RatingError
from apps.subscriptions.models import Subscription
from apps.tenants.models import Tenant
from apps.tenants.services.advance_clock import advance_clock
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import (
    an_event,
    flat,
    make_customer,
    make_meter,
    make_plan,
    make_subscription,
    per_unit,
    report,
)
from tests.invoices.ledger import FEBRUARY, JANUARY, MARCH, fee
from tests.invoices.refusing import MESSAGE, refusing


def subscribe_two(*prices: Any) -> tuple[Subscription, Subscription]:
    version = make_plan("base", list(prices) or [flat("31")])
    first, second = (make_subscription(make_customer(name), version) for name in ("a", "b"))
    return first, second


def parked() -> list[tuple[Any, ...]]:
    rows = due.parked_subscriptions().order_by("id")
    return [(one.subscription_id, one.kind, one.code, one.message, one.parked_at, one.tries) for one in rows]


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (RatingError.of("invalid_fraction", MESSAGE), "invalid_fraction", MESSAGE),
        (Refused("events_archived", "Too old."), "events_archived", "Too old."),
        (DataError("overflow"), "too_large", "An amount or a quantity is larger than an invoice can hold."),
        (IntegrityError("twice"), "internal_error", "IntegrityError: twice"),
        (KeyError("nobody"), "internal_error", "KeyError: 'nobody'"),
        (ValueError("nul \x00"), "internal_error", "ValueError: nul "),
    ],
)
def test_whatever_is_wrong_is_noted_and_the_others_go_on(
    in_acme: Tenant, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str, message: str
) -> None:
    broken, fine = subscribe_two()
    with refusing(broken, monkeypatch, error):
        assert close_due_periods(FEBRUARY) == 1
    assert parked() == [(broken.pk, "cycle", code, message, FEBRUARY, 1)]
    assert [one.subscription_id for one in Invoice.objects.all()] == [fine.pk]
    entry = AuditEntry.objects.get(action="subscription.parked")
    assert (entry.target_id, entry.changes["code"]) == (broken.public_id, code)
    run = BillingRun.objects.get()
    assert (run.due_count, run.billed_count, run.parked_count) == (2, 1, 1)
    assert ParkedSubscription.objects.get().run == run
    with nothing_changes_in("acme"):
        assert close_due_periods(FEBRUARY) == 0
    assert due.next_boundary_at() == MARCH  # of the other one


def test_a_database_that_is_away_parks_nobody(in_acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, _ = subscribe_two()
    with refusing(broken, monkeypatch, OperationalError("deadlock")), pytest.raises(OperationalError):
        close_due_periods(FEBRUARY)
    assert parked() == []
    assert close_due_periods(FEBRUARY) == 2


def test_a_question_that_takes_too_long_is_no_reason_to_stop(
    in_acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement timeout would come again every minute, and the others would never be billed."""
    broken, _ = subscribe_two()
    error = OperationalError("canceling statement due to statement timeout")
    error.__cause__ = QueryCanceled()
    with refusing(broken, monkeypatch, error):
        assert close_due_periods(FEBRUARY) == 1
    assert [row[0] for row in parked()] == [broken.pk]


def test_an_opening_is_parked_as_well(in_acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, _ = subscribe_two(fee("31", "advance"))
    with refusing(broken, monkeypatch):
        assert open_due_subscriptions(JANUARY) == 1
    assert parked() == [(broken.pk, "opening", "invalid_fraction", MESSAGE, JANUARY, 1)]
    assert (open_due_subscriptions(FEBRUARY), close_due_periods(FEBRUARY)) == (0, 1)
    assert due.next_opening_at() is None


def test_a_release_makes_it_due_again(in_acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, _ = subscribe_two()
    with refusing(broken, monkeypatch):
        close_due_periods(FEBRUARY)
        release_parked(parked=ParkedSubscription.objects.get(), reason="Try again", now=FEBRUARY)
        close_due_periods(FEBRUARY + timedelta(hours=1))
    assert [row[-2:] for row in parked()] == [(FEBRUARY + timedelta(hours=1), 2)]
    assert release_all(reason="Mended", now=MARCH) == 1
    entries = AuditEntry.objects.filter(action="subscription.released").order_by("id")
    assert [(one.reason, one.changes["tries"]) for one in entries] == [("Try again", 1), ("Mended", 2)]
    assert close_due_periods(MARCH) == 3
    assert [one.period_start for one in broken.invoices.order_by("id")] == [JANUARY, FEBRUARY]
    assert parked() == []


def test_a_release_wants_a_reason_and_happens_once(in_acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, _ = subscribe_two()
    with refusing(broken, monkeypatch):
        close_due_periods(FEBRUARY)
    one = ParkedSubscription.objects.get()
    with nothing_changes_in("acme"), pytest.raises(Invalid):
        release_parked(parked=one, reason=" ", now=FEBRUARY)
    release_parked(parked=one, reason="Mended", now=FEBRUARY)
    with nothing_changes_in("acme"), pytest.raises(Refused, match="released already"):
        release_parked(parked=one, reason="Mended", now=FEBRUARY)


def test_one_open_row_a_subscription(in_acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, _ = subscribe_two()
    with refusing(broken, monkeypatch):
        close_due_periods(FEBRUARY)
    one = ParkedSubscription.objects.get()
    one.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        one.save()


def test_the_clock_of_a_sandbox_goes_on_past_a_parked_one(in_sandbox: Tenant) -> None:
    """Eleven events of nearly 10^19 are more than rating takes; the other customer is billed month after month."""
    make_meter()
    version = make_plan("tokens", [per_unit("input_tokens", "1")])
    for name in ("a", "b"):
        make_subscription(make_customer(name), version, started_at=clock.now())
    start = datetime(2026, 1, 15, tzinfo=UTC)
    advance_clock(tenant=in_sandbox, to=start)
    report(
        *(
            an_event(
                f"e{n}", customer="a", properties={"input_tokens": 10**19 - 1}, timestamp=start.isoformat()
            )
            for n in range(11)
        )
    )
    done = advance_clock(tenant=in_sandbox, to=datetime(2026, 4, 2, tzinfo=UTC))
    assert done.jobs["close_periods"] == 3
    assert [row[2] for row in parked()] != []
    assert Invoice.objects.count() == 3


def test_closing_now_bills_all_that_is_over_of_one(in_acme: Tenant) -> None:
    one, other = subscribe_two(fee("31", "advance"))
    assert close_now(subscription=one, reason="The customer asks", now=MARCH) == 3
    assert [(invoice.kind, invoice.period_start) for invoice in one.invoices.order_by("id")] == [
        ("opening", JANUARY), ("cycle", JANUARY), ("cycle", FEBRUARY),
    ]  # fmt: skip
    assert not other.invoices.exists()
    assert {(run.subscription_id, run.due_count) for run in BillingRun.objects.all()} == {(one.pk, 1)}
    assert AuditEntry.objects.get(action="subscription.closed_now").reason == "The customer asks"
    with nothing_changes_in("acme"), pytest.raises(Refused) as refused:
        close_now(subscription=one, reason="Again", now=MARCH)
    assert refused.value.code == "not_due"


def test_closing_now_says_that_it_is_parked(in_acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, _ = subscribe_two()
    with refusing(broken, monkeypatch):
        assert close_now(subscription=broken, reason="Now", now=FEBRUARY) == 0
    with nothing_changes_in("acme"), pytest.raises(Refused, match=MESSAGE):
        close_now(subscription=broken, reason="Now", now=FEBRUARY)
