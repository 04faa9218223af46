"""Billed as soon as so much is unbilled: what comes early on several invoices is what the cycle costs, to the cent."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django.db.models import Sum

from apps.analytics.selectors import overdue_count
from apps.audit.models import AuditEntry
from apps.catalog.services.plans import NewPrice
from apps.core.errors import Refused
from apps.invoices.models import BillingRun, Invoice, InvoiceLine, TeamShare
from apps.invoices.services.bill_thresholds import bill_thresholds
from apps.invoices.services.close_periods import close_due_periods
from apps.invoices.services.finalize_invoice import finalize_due_invoices
from apps.invoices.services.park_subscription import release_parked
from apps.invoices.services.void_invoice import reissue_invoice, void_invoice
from apps.subscriptions.models import Subscription
from apps.subscriptions.periods import Period
from apps.subscriptions.services.cancel import cancel
from apps.subscriptions.services.change_subscription import change_subscription
from apps.subscriptions.services.pause import pause
from apps.subscriptions.services.set_billing_threshold import set_billing_threshold
from apps.subscriptions.services.subscribe import subscribe
from apps.tenants.models import Tenant
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import an_event, make_customer, make_meter, report
from tests.invoices.ledger import metered, use
from tests.invoices.refusing import refusing
from tests.scenarios.lifecycle.families import family, join, named, shares
from tests.scenarios.lifecycle.families import use as use_of
from tests.scenarios.lifecycle.words import at, base, fresh, lines, run, sell, start

JANUARY, FEBRUARY, MARCH = at("2026-01-01"), at("2026-02-01"), at("2026-03-01")
DAY = timedelta(days=1)
TIERS = [{"up_to": "100", "unit_amount": "1"}, {"up_to": None, "unit_amount": "0.5"}]


@pytest.fixture
def meter(in_acme: Tenant) -> None:
    make_meter("units", event_name="llm.call", dimensions=["model"])


def tiered() -> NewPrice:
    """Units at 1.00 each, from the 101st at 0.50."""
    return metered("graduated", tiers=TIERS)


def on(*prices: NewPrice, threshold: str | None = "50", code: str = "plan", **more: object) -> Subscription:
    terms = {name: more.pop(name) for name in ("trial_days", "trial_covers") if name in more}
    amount = None if threshold is None else Decimal(threshold)
    return start(sell(code, *prices, **terms), JANUARY, billing_threshold=amount, **more)


def use_at(instant: str, units: int, event_id: str = "") -> None:
    use(event_id or instant, f"{instant.replace(' ', 'T')}:00Z", units=units)


def tick(instant: str) -> None:
    """A beat: nothing is over, so thresholds and what they make."""
    run(at(instant), grace=timedelta(0))


def made() -> list[tuple[str, str, str, str]]:
    """Kind, local start, end and total of what charges something, in the order in which it was made."""
    return [
        (one.kind, f"{one.period_start:%m-%d}", f"{one.period_end:%m-%d %H:%M}", one.total_text)
        for one in Invoice.objects.exclude(status="void").order_by("id")
    ]


def charged() -> Decimal:
    total = Invoice.objects.exclude(status="void").aggregate(total=Sum("total"))["total"]
    assert isinstance(total, Decimal)
    return total


def test_thrice_in_a_month_of_tiers_and_then_the_end(meter: None) -> None:
    on(base("10"), tiered())
    use_at("2026-01-05 10:00", 49)
    tick("2026-01-05 12:00")
    assert made() == []  # 49.00 are unbilled
    use_at("2026-01-06 10:00", 11)
    tick("2026-01-06 14:05")
    # 60 × 1. The fee waits for the end.
    assert made() == [("threshold", "01-01", "01-06 14:05", "60.00")]
    first = Invoice.objects.get()
    assert (first.status, first.usage_cutoff_at) == ("open", at("2026-01-06 14:05"))
    use_at("2026-01-10 10:00", 60)
    tick("2026-01-10 12:00")
    # 120 in all: 100 × 1 + 20 × 0.5 = 110, less 60
    second = Invoice.objects.latest("id")
    assert lines(second) == [
        ("usage", "Units", "110.00"),
        ("billed_ahead", "Units: billed ahead", "-60.00"),
    ]
    assert second.lines.last().steps == [
        {"kind": "already_billed", "description": f"billed on {first.number}", "amount": "-60"}
    ]
    use_at("2026-01-20 10:00", 99)
    tick("2026-01-20 12:00")
    assert len(made()) == 2  # 219: 100 + 119 × 0.5 = 159.50, less 110: 49.50
    use_at("2026-01-21 10:00", 1)
    tick("2026-01-21 12:00")
    # 220: 100 + 120 × 0.5 = 160, less 60 and 50: exactly 50
    assert made()[2] == ("threshold", "01-01", "01-21 12:00", "50.00")
    use_at("2026-01-31 10:00", 10)
    run(FEBRUARY)
    # 230: 100 + 130 × 0.5 = 165 of usage, less 160, and the fee
    assert made()[3] == ("cycle", "01-01", "02-01 00:00", "15.00")
    assert lines() == [
        ("flat", "Base", "10.00"),
        ("usage", "Units", "165.00"),
        ("billed_ahead", "Units: billed ahead", "-160.00"),
    ]
    assert charged() == 175
    with nothing_changes_in("acme"):
        run(FEBRUARY)
    run(MARCH)
    assert made()[4] == ("cycle", "02-01", "03-01 00:00", "10.00")


def test_what_comes_late_joins_the_next_invoice_of_the_cycle_and_after_it_the_next_cycle(meter: None) -> None:
    on(tiered())
    use_at("2026-01-05 10:00", 60)
    tick("2026-01-06 00:00")
    use_at("2026-01-04 10:00", 70)  # late behind the first
    tick("2026-01-07 00:00")
    # 130: 100 + 30 × 0.5 = 115, less 60
    assert [one[3] for one in made()] == ["60.00", "55.00"]
    use_at("2026-01-03 10:00", 20)
    run(FEBRUARY)
    # 150: 125 less 115
    assert made()[2][3] == "10.00"
    use_at("2026-01-02 10:00", 40)  # late behind the month
    run(MARCH)
    # 190: 145 less 125. The invoices of thresholds are no second time that the month was billed.
    assert lines() == [("usage", "Units", "0.00"), ("adjustment", "Units: late usage", "20.00")]
    assert charged() == 145


def test_of_a_plan_that_was_left_between_two_thresholds_the_rest_is_settled(meter: None) -> None:
    subscription = on(tiered())
    other = sell("other", metered("per_unit", unit_amount="2"))
    use_at("2026-01-05 10:00", 60)
    tick("2026-01-06 00:00")
    use_at("2026-01-07 10:00", 10)
    change_subscription(subscription=subscription, plan_version=other, when="now", now=at("2026-01-10"))
    use_at("2026-01-11 10:00", 30)
    tick("2026-01-12 00:00")
    # 70 × 1 of the old plan and 30 × 2 of the new one, less 60 of the old
    assert lines() == [
        ("usage", "Units", "70.00"),
        ("usage", "Units", "60.00"),
        ("billed_ahead", "Units: billed ahead", "-60.00"),
    ]
    # As if the old plan had ended where the month began: what it charged comes back.
    change_subscription(
        subscription=fresh(subscription), plan_version=other, when="date", at=JANUARY, now=at("2026-01-13")
    )
    tick("2026-01-13 12:00")
    # 100 × 2, less 60 and 10 of the old plan and 60 of the new one
    assert lines() == [
        ("usage", "Units", "200.00"),
        ("billed_ahead", "Units: billed ahead", "-70.00"),
        ("billed_ahead", "Units: billed ahead", "-60.00"),
    ]
    run(FEBRUARY)
    assert charged() == 200


def test_what_a_void_one_charged_comes_back_by_itself(meter: None) -> None:
    on(tiered())
    use_at("2026-01-05 10:00", 60)
    tick("2026-01-06 00:00")
    use_at("2026-01-07 10:00", 70)
    tick("2026-01-08 00:00")
    first, second = Invoice.objects.order_by("id")
    assert second.total == 55  # 115 less 60
    with pytest.raises(Refused, match=str(second.number)) as refused:
        void_invoice(invoice=first, reason="Wrong", now=at("2026-01-09"))
    assert refused.value.code == "invoices_rest_on_it"
    void_invoice(invoice=second, reason="Wrong", now=at("2026-01-09"))
    with pytest.raises(Refused, match="next invoice") as refused:
        reissue_invoice(invoice=second, reason="Again", now=at("2026-01-09"))
    assert refused.value.code == "threshold_not_reissued"
    void_invoice(invoice=first, reason="Wrong", now=at("2026-01-09"))
    assert made() == []
    set_billing_threshold(subscription=first.subscription, now=at("2026-01-09"), reason="Until it is clear")
    tick("2026-01-10 00:00")
    run(FEBRUARY)
    assert made() == [("cycle", "01-01", "02-01 00:00", "115.00")]


def test_a_void_one_is_made_anew_by_the_next_look(meter: None) -> None:
    on(tiered())
    use_at("2026-01-05 10:00", 60)
    tick("2026-01-06 00:00")
    void_invoice(invoice=Invoice.objects.get(), reason="Wrong", now=at("2026-01-07"))
    tick("2026-01-07 00:01")
    assert made() == [("threshold", "01-01", "01-07 00:01", "60.00")]
    run(FEBRUARY)
    with pytest.raises(Refused, match="Void these first") as refused:
        void_invoice(
            invoice=Invoice.objects.get(kind="threshold", status="open"), reason="Late", now=FEBRUARY
        )
    assert str(Invoice.objects.get(kind="cycle")) in refused.value.message
    assert charged() == 60


def test_no_minimum_and_no_true_up_before_the_end(meter: None) -> None:
    promised = {"commitment": {"amount": "100", "true_up": True, "overage_factor": "2"}}
    on(
        metered("per_unit", unit_amount="1", code="few", filters={"model": ["a"]}, minimum_amount="500"),
        metered("per_unit", unit_amount="1", code="rest", **promised),
    )
    use("a", "2026-01-05T10:00:00Z", units=20, model="a")
    use("b", "2026-01-05T10:00:00Z", units=20, model="b")
    tick("2026-01-06 00:00")
    assert made() == []  # 40.00, whatever the minimum and the promise are
    use("c", "2026-01-06T10:00:00Z", units=100, model="b")
    tick("2026-01-07 00:00")
    # 20, and of 120 the 20 above the promise twice
    assert lines() == [("usage", "Few", "20.00"), ("usage", "Rest", "140.00")]
    run(FEBRUARY)
    assert lines() == [
        ("usage", "Few", "500.00"),
        ("usage", "Rest", "140.00"),
        ("billed_ahead", "Few: billed ahead", "-20.00"),
        ("billed_ahead", "Rest: billed ahead", "-140.00"),
    ]


def test_a_trial_of_everything_and_a_pause_raise_no_threshold(meter: None) -> None:
    subscription = on(tiered(), trial_days=10, trial_covers="everything")
    use_at("2026-01-05 10:00", 90)
    tick("2026-01-06 00:00")
    assert made() == []
    use_at("2026-01-12 10:00", 40)
    pause(subscription=subscription, when="now", now=at("2026-01-13"))
    use_at("2026-01-14 10:00", 500)
    tick("2026-01-15 00:00")
    assert made() == []  # 40.00 behind the trial, and before the pause
    use_at("2026-01-12 11:00", 10)
    tick("2026-01-15 00:01")
    assert lines() == [("usage", "Units", "0.00"), ("usage", "Units", "50.00")]
    run(FEBRUARY)
    assert charged() == 50


def test_a_cycle_that_is_cut_before_what_was_billed_ahead_gives_it_back(meter: None) -> None:
    """The new schedule begins on the 10th, and bills itself what is used from then on."""
    subscription = on(tiered())
    quarterly = sell("q", metered("per_unit", unit_amount="2"), interval_count=3)
    use_at("2026-01-05 10:00", 60)
    use_at("2026-01-11 10:00", 10)
    tick("2026-01-12 00:00")
    change_subscription(
        subscription=subscription,
        plan_version=quarterly,
        when="date",
        at=at("2026-01-10"),
        now=at("2026-01-13"),
    )
    run(at("2026-01-13 12:00"))
    # Until the 10th 60 × 1, less 70. The 10 × 2 since are under the threshold.
    assert made()[1:] == [("cycle", "01-01", "01-10 00:00", "-10.00")]
    use_at("2026-01-14 10:00", 20)
    tick("2026-01-15 00:00")
    assert made()[2:] == [("threshold", "01-10", "01-15 00:00", "60.00")]
    run(at("2026-04-01"))
    assert charged() == 120


def test_who_ends_pays_what_is_left(meter: None) -> None:
    subscription = on(tiered())
    use_at("2026-01-05 10:00", 60)
    tick("2026-01-06 00:00")
    use_at("2026-01-07 10:00", 5)
    cancel(subscription=subscription, when="now", unused="credit", now=at("2026-01-08"))
    run(at("2026-01-09"))
    assert made()[1:] == [("cycle", "01-01", "01-08 00:00", "5.00")]
    use_at("2026-01-07 11:00", 500)
    assert bill_thresholds(at("2026-01-10")) == 0
    with pytest.raises(Refused, match="ended"):
        set_billing_threshold(subscription=fresh(subscription), amount=Decimal(1), now=at("2026-01-10"))


def test_a_period_that_is_over_is_closed_and_not_billed_ahead(meter: None) -> None:
    """After an outage: the month that is over has its invoice, and the open one its threshold."""
    on(tiered())
    use_at("2026-01-05 10:00", 60)
    use_at("2026-02-05 10:00", 70)
    assert bill_thresholds(at("2026-02-06")) == 0
    close_due_periods(at("2026-02-06"))
    assert bill_thresholds(at("2026-02-06")) == 1
    # January waits for its grace; what reached a threshold doesn't wait for it.
    assert finalize_due_invoices(at("2026-02-06")) == 1
    assert [(one.kind, one.status, one.total_text) for one in Invoice.objects.order_by("id")] == [
        ("cycle", "draft", "60.00"),
        ("threshold", "open", "70.00"),
    ]


def test_while_one_is_a_draft_there_is_no_other_and_its_cycle_waits_for_it(meter: None) -> None:
    on(tiered())
    use_at("2026-01-05 10:00", 60)
    assert bill_thresholds(at("2026-01-06")) == 1
    use_at("2026-01-06 10:00", 600)
    assert bill_thresholds(at("2026-01-07")) == 0
    close_due_periods(FEBRUARY)
    ahead, cycle = Invoice.objects.order_by("id")
    Invoice.objects.filter(pk=ahead.pk).update(parked_at=FEBRUARY)
    assert lines(cycle)[-1] == ("billed_ahead", "Units: billed ahead", "-60.00")
    assert cycle.lines.last().steps[0]["description"] == "billed on a draft"
    assert finalize_due_invoices(FEBRUARY + 2 * DAY) == 0
    Invoice.objects.filter(pk=ahead.pk).update(parked_at=None)
    assert finalize_due_invoices(FEBRUARY + 2 * DAY) == 2
    ahead.refresh_from_db()
    assert lines(cycle)[-1][2] == "-60.00"
    assert cycle.lines.last().steps[0]["description"] == f"billed on {ahead.number}"


def test_at_one_instant_once_and_the_database_says_so(meter: None) -> None:
    subscription = on(tiered())
    use_at("2026-01-05 10:00", 60)
    now = at("2026-01-06")
    assert bill_thresholds(now) == 1
    with nothing_changes_in("acme"):
        assert bill_thresholds(now) == 0
    finalize_due_invoices(now)
    # More of the same time, while the clock stands: it is billed as soon as the clock goes on.
    use_at("2026-01-05 11:00", 600)
    with nothing_changes_in("acme"):
        assert bill_thresholds(now) == 0
    ahead = Invoice.objects.get()
    copy = {
        "kind": "threshold", "customer": ahead.customer, "subscription": subscription, "currency": "USD",
        "period_start": ahead.period_start, "subtotal": 0, "total": 0, "usage_cutoff_at": now,
        "finalize_due_at": now,
    }  # fmt: skip
    with pytest.raises(IntegrityError, match="invoice_threshold_once"), transaction.atomic():
        Invoice.objects.create(**copy, period_end=ahead.period_end)
    Invoice.objects.create(**copy, period_end=ahead.period_end + DAY)
    with pytest.raises(IntegrityError, match="invoice_threshold_one_draft"), transaction.atomic():
        Invoice.objects.create(**copy, period_end=ahead.period_end + 2 * DAY)


def test_one_that_cannot_be_rated_is_parked_and_the_others_go_on(
    meter: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = sell("plan", tiered())
    for name in ("chat", "other"):
        subscribe(
            customer=make_customer(name),
            plan_version=version,
            started_at=JANUARY,
            now=JANUARY,
            billing_threshold=Decimal(50),
        )
        report(
            an_event(f"of {name}", customer=name, timestamp="2026-01-05T10:00:00Z", properties={"units": 60})
        )
    other = Subscription.objects.get(customer__external_id="other")
    with refusing(other, monkeypatch):
        assert bill_thresholds(at("2026-01-06")) == 1
    assert Invoice.objects.get().customer.external_id == "chat"
    parked = other.parkings.get()
    assert (parked.code, parked.kind, parked.is_open) == ("invalid_fraction", "threshold", True)
    assert parked.period == Period(JANUARY, at("2026-01-06"))
    record = BillingRun.objects.get()
    assert (record.kind, record.due_count, record.billed_count, record.parked_count) == (
        "thresholds",
        2,
        1,
        1,
    )
    with nothing_changes_in("acme"):
        assert bill_thresholds(at("2026-01-07")) == 0
    release_parked(parked=parked, reason="Mended", now=at("2026-01-07"))
    assert bill_thresholds(at("2026-01-07")) == 1


def test_a_threshold_is_set_with_a_reason_and_recorded(meter: None) -> None:
    subscription = on(tiered(), threshold=None)
    use_at("2026-01-05 10:00", 60)
    tick("2026-01-06 00:00")
    assert made() == []
    for wrong in ("0", "-1", "0.001", "NaN", "1e30"):
        with pytest.raises(Refused) as refused:
            set_billing_threshold(subscription=subscription, amount=Decimal(wrong), now=at("2026-01-06"))
        assert (refused.value.code, refused.value.param) == ("invalid_threshold", "/amount")
    set_billing_threshold(
        subscription=subscription, amount=Decimal(20), reason="New customer", now=at("2026-01-06")
    )
    entry = AuditEntry.objects.get(action="subscription.threshold_set")
    assert entry.reason == "New customer"
    assert entry.changes["billing_threshold"] == [None, "20.00"]
    with pytest.raises(Refused, match="counts already"):
        set_billing_threshold(
            subscription=subscription, amount=Decimal("20.00"), reason="x", now=at("2026-01-06")
        )
    tick("2026-01-06 00:01")
    assert [one[3] for one in made()] == ["60.00"]
    assert InvoiceLine.objects.count() == 1


def test_teams_have_of_what_is_taken_off_what_they_had_of_it(in_acme: Tenant) -> None:
    """A threshold counts what an organization pays for its teams. Over a cycle each has its part of 115.00, once.

    First org 20 and red 40. Then blue 70 more: 130 units, 100 × 1 + 30 × 0.5 = 115, shared as 20 : 40 : 70.
    """
    make_meter("units", event_name="llm.call")
    family("red", "blue")
    subscribe(
        customer=named("org"),
        plan_version=sell("tiers", tiered()),
        started_at=JANUARY,
        now=JANUARY,
        billing_threshold=Decimal(50),
    )
    for team in ("red", "blue"):
        join(team, "2026-01-01")
    use_of("org", "2026-01-05", units=20)
    use_of("red", "2026-01-05", units=40)
    tick("2026-01-06 00:00")
    assert shares() == [[("org", "20", "20.00"), ("red", "40", "40.00")]]
    use_of("blue", "2026-01-07", units=70)
    tick("2026-01-08 00:00")
    assert [one[3] for one in made()] == ["60.00", "55.00"]
    assert shares() == [[("org", "20", "17.69"), ("red", "40", "35.39"), ("blue", "70", "61.92")]]
    assert shares(kind="billed_ahead") == [[("org", "-20", "-20.00"), ("red", "-40", "-40.00")]]
    run(FEBRUARY)
    assert charged() == 115
    had = TeamShare.objects.order_by().values("customer__external_id")
    summed = {
        one["customer__external_id"]: (one["quantity"], one["amount"])
        for one in had.annotate(quantity=Sum("quantity"), amount=Sum("amount"))
    }
    assert summed == {
        "org": (20, Decimal("17.69")),
        "red": (40, Decimal("35.39")),
        "blue": (70, Decimal("61.92")),
    }


def test_what_is_left_at_nothing_is_not_overdue(meter: None) -> None:
    """All of the month was billed ahead. Its invoice is a document of 0.00, and nobody is asked to pay that."""
    on(tiered())
    use_at("2026-01-05 10:00", 60)
    tick("2026-01-06 00:00")
    run(FEBRUARY)
    assert [(one[0], one[3]) for one in made()] == [("threshold", "60.00"), ("cycle", "0.00")]
    assert {one.status for one in Invoice.objects.all()} == {"open"}
    assert overdue_count(at("2026-06-01")) == 1
