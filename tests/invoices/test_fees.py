"""Fees at the start of a period, at its end, and once: each due is billed once, and what is unused comes back."""

import logging
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.catalog.models import PlanVersion
from apps.catalog.services import plans, versions
from apps.catalog.services.plans import NewPrice
from apps.core.errors import Refused
from apps.invoices.models import Invoice, InvoiceLine
from apps.invoices.services.close_periods import close_due_periods, open_due_subscriptions
from apps.invoices.services.finalize_invoice import finalize_due_invoices, finalize_invoice
from apps.invoices.services.park_subscription import release_all
from apps.rating import prorate, round_amount
from apps.subscriptions.models import Subscription
from apps.tenants.models import Tenant
from tests.harness.evidence import nothing_changes_in, rolled_back
from tests.harness.factories import make_customer, make_meter, make_plan, make_subscription
from tests.invoices.ledger import (
    APRIL,
    FEBRUARY,
    JANUARY,
    MARCH,
    MIDDLE,
    bills,
    fee,
    lines,
    metered,
    previewed,
    publish_next,
    use,
)
from tests.invoices.refusing import refusing

ELEVENTH = datetime(2026, 1, 11, tzinfo=JANUARY.tzinfo)


def subscribed(*prices: NewPrice, started_at: datetime = JANUARY) -> Subscription:
    return make_subscription(plan_version=make_plan("pro", list(prices)), started_at=started_at)


def of_kind(kind: str, month: datetime) -> Invoice:
    return Invoice.objects.get(
        kind=kind, period_start__gte=month, period_start__lt=month + timedelta(days=28)
    )


# --- Openings


def test_the_opening_bills_the_rest_of_the_month_and_the_set_up(in_acme: Tenant) -> None:
    """From the 11th of 31 days on: 31 × 21/31. Support is due at the end, with February's base."""
    subscribed(fee("5", "once"), fee("31", "advance"), fee("62", "arrears"), started_at=ELEVENTH)
    assert open_due_subscriptions(ELEVENTH) == 1
    assert lines(of_kind("opening", JANUARY)) == [
        ("flat", "Set-up", None, "5.00"),
        ("flat", "Base", None, "21.00"),
    ]
    assert close_due_periods(FEBRUARY) == 1
    assert lines(of_kind("cycle", JANUARY)) == [
        ("flat", "Support", None, "42.00"),
        ("flat", "Base", None, "31.00"),
    ]
    assert [(line.period_start, line.period_end) for line in of_kind("cycle", JANUARY).lines.all()] == [
        (ELEVENTH, FEBRUARY),
        (FEBRUARY, MARCH),
    ]
    assert close_due_periods(MARCH) == 1
    assert lines(of_kind("cycle", FEBRUARY)) == [
        ("flat", "Support", None, "62.00"),
        ("flat", "Base", None, "31.00"),
    ]


def test_half_a_month_at_9_99_is_5_00(in_acme: Tenant) -> None:
    """9.99 × 15/30 = 4.995"""
    subscribed(fee("9.99", "advance"), started_at=datetime(2026, 4, 16, tzinfo=JANUARY.tzinfo))
    open_due_subscriptions(datetime(2026, 4, 16, tzinfo=JANUARY.tzinfo))
    assert Invoice.objects.get().total_text == "5.00"


def test_a_plan_without_such_fees_has_no_opening(in_acme: Tenant) -> None:
    subscribed(fee("31", "arrears"))
    with nothing_changes_in("acme"):
        assert open_due_subscriptions(APRIL) == 0


def test_an_opening_is_not_due_before_the_start(in_acme: Tenant) -> None:
    subscribed(fee("31", "advance"), started_at=FEBRUARY)
    assert open_due_subscriptions(FEBRUARY - timedelta(microseconds=1)) == 0
    assert open_due_subscriptions(FEBRUARY) == 1


def test_opening_and_closing_again_change_nothing(in_acme: Tenant) -> None:
    subscribed(fee("5", "once"), fee("31", "advance"))
    assert (open_due_subscriptions(MARCH), close_due_periods(MARCH)) == (1, 2)
    with nothing_changes_in("acme"):
        assert (open_due_subscriptions(MARCH), close_due_periods(MARCH)) == (0, 0)
    assert bills() == [
        ("opening", "01-01", "36.00"),
        ("cycle", "01-01", "31.00"),
        ("cycle", "02-01", "31.00"),
    ]


def test_closing_opens_first_what_nobody_opened(in_acme: Tenant) -> None:
    subscribed(fee("31", "advance"))
    assert close_due_periods(FEBRUARY) == 1
    assert bills() == [("opening", "01-01", "31.00"), ("cycle", "01-01", "31.00")]


def test_an_opening_that_can_not_be_billed_does_not_hold_up_the_others(
    in_acme: Tenant, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    version = make_plan("pro", [fee("31", "advance")])
    broken, fine = (make_subscription(make_customer(name), version) for name in ("a", "b"))
    with refusing(broken, monkeypatch), caplog.at_level(logging.ERROR):
        assert open_due_subscriptions(JANUARY) == 1
    assert "can't be billed" in caplog.text
    assert Invoice.objects.get().subscription_id == fine.pk
    assert open_due_subscriptions(JANUARY) == 0
    release_all(reason="Mended", now=JANUARY)
    assert open_due_subscriptions(JANUARY) == 1


def test_the_opening_is_finalized_before_the_first_period(in_acme: Tenant) -> None:
    """The first period's credit is for what the opening billed, so that has to be final by then."""
    subscription = subscribed(fee("31", "advance"))
    open_due_subscriptions(JANUARY)
    publish_next(subscription.plan_version, fee("62", "advance"), now=MIDDLE)
    close_due_periods(FEBRUARY)
    opening, cycle = of_kind("opening", JANUARY), of_kind("cycle", JANUARY)
    with nothing_changes_in("acme"), pytest.raises(Refused) as refused:
        finalize_invoice(invoice=cycle, now=FEBRUARY)
    assert refused.value.code == "earlier_draft"
    finalize_invoice(invoice=opening, now=FEBRUARY)
    finalize_invoice(invoice=cycle, now=FEBRUARY)
    billed = InvoiceLine.objects.filter(period_end__lte=FEBRUARY).values_list("amount", flat=True)
    assert sum(billed) == Decimal("46.50")  # 31 × 1/2 + 62 × 1/2


# --- Moves


def test_a_move_splits_usage_at_the_instant_and_fees_by_time(in_acme: Tenant) -> None:
    make_meter("units", unit="unit")
    subscription = subscribed(
        fee("31", "advance"), metered("per_unit", unit_amount="0.01"), fee("31", "arrears")
    )
    open_due_subscriptions(JANUARY)
    finalize_due_invoices(MIDDLE)
    use("before", "2026-01-16T11:59:59.999999Z", units=100)
    use("after", "2026-01-16T12:00:00Z", units=100)
    publish_next(
        subscription.plan_version,
        fee("62", "advance"), metered("per_unit", unit_amount="0.02"), fee("62", "arrears"),
        now=MIDDLE,
    )  # fmt: skip
    expected = [
        ("usage", "Units", "100", "1.00"),  # 100 × 0.01
        ("flat", "Support", None, "15.50"),  # 31 / 2
        ("usage", "Units", "100", "2.00"),  # 100 × 0.02
        ("flat", "Support", None, "31.00"),  # 62 / 2
        ("credit", "Base: unused part", None, "-15.50"),  # 31 / 2 of the 31 billed at the start
        ("flat", "Base", None, "31.00"),  # 62 / 2
        ("flat", "Base", None, "62.00"),  # February
    ]
    assert previewed(subscription) == expected
    close_due_periods(FEBRUARY)
    cycle = of_kind("cycle", JANUARY)
    assert lines(cycle) == expected
    assert cycle.total_text == "127.00"
    finalize_due_invoices(MARCH)
    assert lines(of_kind("cycle", JANUARY)) == expected
    close_due_periods(MARCH)
    assert lines(of_kind("cycle", FEBRUARY)) == [
        ("usage", "Units", "0", "0.00"),
        ("flat", "Support", None, "62.00"),
        ("flat", "Base", None, "62.00"),
    ]


def test_a_move_at_renewal_cuts_nothing(in_acme: Tenant) -> None:
    make_meter("units", unit="unit")
    subscription = subscribed(fee("31", "advance"), metered("per_unit", unit_amount="0.01"))
    open_due_subscriptions(JANUARY)
    use("before", "2026-01-10T00:00:00Z", units=100)
    use("after", "2026-01-20T00:00:00Z", units=100)
    use("next", "2026-02-01T00:00:00Z", units=100)
    publish_next(
        subscription.plan_version, fee("62", "advance"), metered("per_unit", unit_amount="0.02"),
        now=MIDDLE, existing="at_renewal",
    )  # fmt: skip
    close_due_periods(MARCH)
    assert lines(of_kind("cycle", JANUARY)) == [
        ("usage", "Units", "200", "2.00"),
        ("flat", "Base", None, "62.00"),
    ]
    assert lines(of_kind("cycle", FEBRUARY)) == [
        ("usage", "Units", "100", "2.00"),
        ("flat", "Base", None, "62.00"),
    ]


def test_whoever_is_kept_pays_as_before(in_acme: Tenant) -> None:
    subscription = subscribed(fee("31", "advance"))
    publish_next(subscription.plan_version, fee("62", "advance"), now=MIDDLE, existing="keep")
    close_due_periods(MARCH)
    assert {total for _, _, total in bills()} == {"31.00"}


def test_a_move_before_the_opening_is_final_bills_the_parts(in_acme: Tenant) -> None:
    """The opening's draft is computed again: it asks only for the part that the first version counted."""
    subscription = subscribed(fee("31", "advance"))
    open_due_subscriptions(JANUARY)
    publish_next(subscription.plan_version, fee("62", "advance"), now=MIDDLE)
    finalize_due_invoices(FEBRUARY)
    assert of_kind("opening", JANUARY).total_text == "15.50"
    close_due_periods(FEBRUARY)
    assert lines(of_kind("cycle", JANUARY)) == [
        ("flat", "Base", None, "31.00"),
        ("flat", "Base", None, "62.00"),
    ]


def test_a_move_at_the_boundary_after_the_fee_was_billed(in_acme: Tenant) -> None:
    """February's 31 are final when the move takes effect on the 1st: they come back whole."""
    subscription = subscribed(fee("31", "advance"))
    close_due_periods(FEBRUARY)
    finalize_due_invoices(FEBRUARY + timedelta(days=1))
    publish_next(subscription.plan_version, fee("62", "advance"), now=FEBRUARY)
    close_due_periods(MARCH)
    assert lines(of_kind("cycle", FEBRUARY)) == [
        ("flat", "Base", None, "62.00"),  # February, as due
        ("credit", "Base: unused part", None, "-31.00"),
        ("flat", "Base", None, "62.00"),  # March
    ]


def test_a_move_at_the_boundary_during_grace_is_on_the_draft(in_acme: Tenant) -> None:
    subscription = subscribed(fee("31", "advance"))
    close_due_periods(FEBRUARY)
    publish_next(subscription.plan_version, fee("62", "advance"), now=FEBRUARY)
    finalize_due_invoices(FEBRUARY + timedelta(days=1))
    assert lines(of_kind("cycle", JANUARY)) == [("flat", "Base", None, "62.00")]
    close_due_periods(MARCH)
    assert lines(of_kind("cycle", FEBRUARY)) == [("flat", "Base", None, "62.00")]


def test_a_fee_that_the_new_version_does_not_have_comes_back(in_acme: Tenant) -> None:
    subscription = subscribed(fee("31", "advance"), fee("10", "arrears"))
    open_due_subscriptions(JANUARY)
    finalize_due_invoices(MIDDLE)
    publish_next(subscription.plan_version, fee("10", "arrears"), now=MIDDLE)
    close_due_periods(FEBRUARY)
    assert lines(of_kind("cycle", JANUARY)) == [
        ("flat", "Support", None, "5.00"),
        ("flat", "Support", None, "5.00"),
        ("credit", "Base: unused part", None, "-15.50"),
    ]


def test_a_set_up_fee_is_for_newcomers(in_acme: Tenant) -> None:
    subscription = subscribed(fee("31", "advance"))
    open_due_subscriptions(JANUARY)
    publish_next(subscription.plan_version, fee("5", "once"), fee("31", "advance"), now=MIDDLE)
    close_due_periods(MARCH)
    assert not InvoiceLine.objects.filter(price__billing_timing="once").exists()


def test_two_moves_in_one_period(in_acme: Tenant) -> None:
    """31 × 10/31 + 62 × 10/31 + 93 × 11/31 = 10 + 20 + 33 for January."""
    subscription = subscribed(fee("31", "advance"))
    open_due_subscriptions(JANUARY)
    finalize_due_invoices(JANUARY + timedelta(days=1))
    second = publish_next(subscription.plan_version, fee("62", "advance"), now=JANUARY + timedelta(days=10))
    publish_next(second, fee("93", "advance"), now=JANUARY + timedelta(days=20))
    close_due_periods(FEBRUARY)
    assert lines(of_kind("cycle", JANUARY)) == [
        ("credit", "Base: unused part", None, "-21.00"),
        ("flat", "Base", None, "20.00"),
        ("flat", "Base", None, "33.00"),
        ("flat", "Base", None, "93.00"),
    ]


def test_late_usage_of_a_split_period_stays_in_its_part(in_acme: Tenant) -> None:
    make_meter("units", unit="unit")
    subscription = subscribed(metered("per_unit", unit_amount="1"))
    publish_next(subscription.plan_version, metered("per_unit", unit_amount="2"), now=MIDDLE)
    close_due_periods(FEBRUARY)
    finalize_due_invoices(MARCH)
    use("a", "2026-01-10T00:00:00Z", units=10)
    use("b", "2026-01-20T00:00:00Z", units=10)
    close_due_periods(MARCH)
    assert lines(of_kind("cycle", FEBRUARY)) == [
        ("usage", "Units", "0", "0.00"),
        ("adjustment", "Units: late usage", "10", "10.00"),
        ("adjustment", "Units: late usage", "10", "20.00"),
    ]


def test_a_draft_and_its_preview_agree_also_after_grace(in_acme: Tenant) -> None:
    """Preview, draft and issue are one function: only what came in between makes a difference."""
    make_meter("units", unit="unit")
    subscription = subscribed(fee("31", "advance"), metered("per_unit", unit_amount="0.01"))
    use("a", "2026-01-10T00:00:00Z", units=100)
    open_due_subscriptions(JANUARY)
    before = previewed(subscription)
    close_due_periods(FEBRUARY)
    assert lines(of_kind("cycle", JANUARY)) == before
    use("b", "2026-01-31T23:59:59Z", units=50)
    finalize_due_invoices(FEBRUARY + timedelta(days=1))
    assert lines(of_kind("cycle", JANUARY)) == [
        ("usage", "Units", "150", "1.50"),
        ("flat", "Base", None, "31.00"),
    ]


# --- The law


def january_due(parts: list[tuple[Decimal, datetime, datetime]]) -> Decimal:
    """Each version's fee for the time it counted, rounded at its line."""
    whole = int((FEBRUARY - JANUARY).total_seconds() * 1_000_000)
    shares = [
        round_amount(prorate(amount, round((end - start).total_seconds() * 1_000_000), whole), "USD")
        for amount, start, end in parts
    ]
    return sum(shares, Decimal(0))


AMOUNTS = st.decimals(min_value=0, max_value=1000, places=2)
HOURS = st.lists(st.integers(1, 31 * 24 - 1), min_size=1, max_size=3, unique=True).map(sorted)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(AMOUNTS, min_size=4, max_size=4), HOURS, st.sampled_from(["advance", "arrears"]), st.booleans()
)
def test_whatever_moves_happen_january_is_billed_once(
    in_acme: Tenant, amounts: list[Decimal], hours: list[int], timing: str, is_final: bool
) -> None:
    """Over all invoices January costs what its versions ask for their time: nothing twice, nothing lost."""
    with rolled_back():
        subscription = subscribed(fee(str(amounts[0]), timing))
        open_due_subscriptions(JANUARY)
        if is_final:
            finalize_due_invoices(JANUARY + timedelta(days=1))
        version: PlanVersion = subscription.plan_version
        instants = [JANUARY + timedelta(hours=hour) for hour in hours]
        for amount, instant in zip(amounts[1:], instants, strict=False):
            version = publish_next(version, fee(str(amount), timing), now=instant)
        close_due_periods(FEBRUARY)
        finalize_due_invoices(MARCH)
        edges = [JANUARY, *instants, FEBRUARY]
        expected = january_due(list(zip(amounts, edges, edges[1:], strict=False)))
        billed = InvoiceLine.objects.filter(period_end__lte=FEBRUARY).values_list("amount", flat=True)
        assert sum(billed, Decimal(0)) == expected


def test_a_draft_version_costs_nobody_anything(in_acme: Tenant) -> None:
    subscription = subscribed(fee("31", "advance"))
    plans.draft_version(plan=subscription.plan_version.plan, currency="USD", prices=[fee("62", "advance")])
    versions.archive_version(version=subscription.plan_version)
    close_due_periods(FEBRUARY)
    assert bills() == [("opening", "01-01", "31.00"), ("cycle", "01-01", "31.00")]
