"""A cancellation that is dated before the end of the trial, when the opening is made already."""

import pytest

from apps.core.errors import Refused
from apps.invoices.models import Invoice
from apps.invoices.services.close_periods import open_due_subscriptions
from apps.invoices.services.void_invoice import reissue_invoice, void_invoice
from apps.subscriptions.models import Subscription
from apps.subscriptions.services.cancel import cancel
from apps.subscriptions.services.pause import pause
from apps.tenants.models import Tenant
from tests.scenarios.lifecycle.words import at, base, bills, fresh, lines, run, sell, start


@pytest.fixture
def trial(in_acme: Tenant) -> Subscription:
    """30 a month in advance, free until 15 April: the opening asks for 16 of 30 days, 16.00."""
    return start(sell("a", base("30", "advance"), trial_days=14), at("2026-04-01"))


def end(subscription: Subscription, unused: str) -> None:
    cancel(
        subscription=fresh(subscription), when="date", at=at("2026-04-10"), unused=unused,
        now=at("2026-04-16 12:00"),
    )  # fmt: skip
    run(at("2026-05-01"))
    assert fresh(subscription).status == Subscription.Status.ENDED


def test_an_issued_opening_comes_back(trial: Subscription) -> None:
    """The last cycle gives back the 16.00: nothing was owed until 10 April."""
    run(at("2026-04-15 10:00"))
    end(trial, "credit")
    assert bills() == [("26-04-15", "opening", "16.00"), ("26-04-01", "26-04-10", "-16.00")]
    assert lines() == [("credit", "Base: unused part", "-16.00")]


def test_where_nothing_comes_back_it_stays(trial: Subscription) -> None:
    run(at("2026-04-15 10:00"))
    end(trial, "nothing")
    assert bills() == [("26-04-15", "opening", "16.00"), ("26-04-01", "26-04-10", "0.00")]


@pytest.mark.parametrize("unused", ["credit", "nothing"])
def test_an_opening_that_is_a_draft_asks_for_nothing(trial: Subscription, unused: str) -> None:
    """And so nothing comes back."""
    open_due_subscriptions(at("2026-04-16 10:00"))
    assert Invoice.objects.get().total == 16
    end(trial, unused)
    assert bills() == [("26-04-15", "opening", "0.00"), ("26-04-01", "26-04-10", "0.00")]
    assert not Invoice.objects.filter(status=Invoice.Status.DRAFT).exists()


def test_cancelled_after_the_trial_only_the_rest_comes_back(trial: Subscription) -> None:
    """16.00 for 15 to 30 April; used until the 20th, 5 of 30 days: 5.00, and 11.00 come back."""
    run(at("2026-04-15 10:00"))
    cancel(subscription=fresh(trial), when="date", at=at("2026-04-20"), unused="credit", now=at("2026-04-16"))
    run(at("2026-05-01"))
    assert bills() == [("26-04-15", "opening", "16.00"), ("26-04-01", "26-04-20", "-11.00")]


SETUP = base("99", "once", code="setup")


@pytest.fixture
def set_up(in_acme: Tenant) -> Subscription:
    """The same with 99.00 for the set-up, asked for with the opening: 115.00."""
    return start(sell("a", base("30", "advance"), SETUP, trial_days=14), at("2026-04-01"))


def test_what_was_asked_for_once_comes_back_with_the_opening(set_up: Subscription) -> None:
    run(at("2026-04-15 10:00"))
    end(set_up, "credit")
    assert bills() == [("26-04-15", "opening", "115.00"), ("26-04-01", "26-04-10", "-115.00")]
    assert lines() == [
        ("credit", "Base: unused part", "-16.00"), ("credit", "Setup: unused part", "-99.00"),
    ]  # fmt: skip


def test_of_an_opening_that_was_due_the_set_up_stays(set_up: Subscription) -> None:
    """Ended on 20 April, five days after it opened: 11.00 of the 16.00 come back and the set-up was done."""
    run(at("2026-04-15 10:00"))
    cancel(
        subscription=fresh(set_up), when="date", at=at("2026-04-20"), unused="credit", now=at("2026-04-16")
    )
    run(at("2026-05-01"))
    assert bills() == [("26-04-15", "opening", "115.00"), ("26-04-01", "26-04-20", "-11.00")]


def test_what_came_back_is_not_given_back_again_by_a_void(trial: Subscription) -> None:
    """The opening's 16.00 came back with the last invoice: that has to be void first."""
    run(at("2026-04-15 10:00"))
    end(trial, "credit")
    opening, last = Invoice.objects.order_by("id")
    with pytest.raises(Refused, match=str(last.number)):
        void_invoice(invoice=opening, reason="a mistake", now=at("2026-05-03"))
    for one in (last, opening):
        void_invoice(invoice=one, reason="a mistake", now=at("2026-05-03"))
    run(at("2026-05-04"))
    draft = reissue_invoice(invoice=last, reason="as it is now", now=at("2026-05-04"))
    assert draft.total == 0


def test_a_pause_that_is_dated_back_before_the_opening_keeps_the_set_up(set_up: Subscription) -> None:
    """Paused from the 12th to the 20th while the opening is a draft: 99.00 there, and 11 of 30 days with April."""
    open_due_subscriptions(at("2026-04-15 10:00"))
    pause(
        subscription=fresh(set_up), when="date", at=at("2026-04-12"), resume_at=at("2026-04-20"),
        now=at("2026-04-15 12:00"),
    )  # fmt: skip
    run(at("2026-05-01"))
    assert bills() == [("26-04-15", "opening", "99.00"), ("26-04-01", "26-05-01", "41.00")]  # 11 + 30 for May
