"""Brakes before issue: each trips, parks the draft with its reason, and lets it pass once a person released it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from apps.audit.models import AuditEntry
from apps.core.errors import Invalid, Refused
from apps.invoices.models import BillingSettings, Invoice, InvoiceLine, ParkReason
from apps.invoices.services import change_draft
from apps.invoices.services.close_periods import close_due_periods, open_due_subscriptions
from apps.invoices.services.finalize_invoice import finalize_due_invoices, finalize_invoice
from apps.invoices.waiting import next_finalization_at
from apps.subscriptions.models import Subscription
from apps.tenants.models import Tenant
from tests.harness.clients import Api
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import (
    an_event,
    flat,
    make_customer,
    make_meter,
    make_plan,
    make_subscription,
    report,
)
from tests.invoices.ledger import FEBRUARY, MIDDLE, fee, metered, publish_next, use

DAY = timedelta(days=1)
NOW = FEBRUARY + 2 * DAY


def pull(**brakes: Any) -> None:
    BillingSettings.objects.update(**brakes)


def subscribe(**fields: Any) -> Subscription:
    make_meter("units", event_name="llm.call", dimensions=["model"])
    return make_subscription(
        plan_version=make_plan("p", [flat("10"), metered("per_unit", unit_amount="1", **fields)])
    )


def negative_total() -> None:
    """31.00 was charged ahead; from the middle on the plan is free: 15.50 come back, and nothing is due."""
    pull(brake_on_negative_total=True)
    subscription = make_subscription(plan_version=make_plan("ahead", [fee("31", "advance")]))
    open_due_subscriptions(datetime(2026, 1, 1, tzinfo=UTC))
    finalize_due_invoices(datetime(2026, 1, 3, tzinfo=UTC))
    publish_next(subscription.plan_version, fee("0", "advance"), now=MIDDLE)


def many_lines() -> None:
    pull(brake_on_lines_above=1)
    subscribe()


def large_total() -> None:
    """October to December cost 10, 10 and 10; January 10 + 90 units: ten times the mean is more than nine times."""
    pull(brake_on_total_factor=9, brake_on_total_invoices=3)
    make_meter("units", event_name="llm.call")
    version = make_plan("p", [flat("10"), metered("per_unit", unit_amount="1")])
    make_subscription(plan_version=version, started_at=datetime(2025, 10, 1, tzinfo=UTC))
    close_due_periods(datetime(2026, 1, 1, tzinfo=UTC))
    assert finalize_due_invoices(datetime(2026, 1, 2, tzinfo=UTC)) == 3
    use("a", "2026-01-05T00:00:00Z", units=90)


def usage_gone() -> None:
    pull(brake_on_usage_gone=True)
    make_meter("units", event_name="llm.call")
    version = make_plan("p", [flat("10"), metered("per_unit", unit_amount="1")])
    make_subscription(plan_version=version, started_at=datetime(2025, 12, 1, tzinfo=UTC))
    use("a", "2025-12-05T00:00:00Z", units=90)
    close_due_periods(datetime(2026, 1, 1, tzinfo=UTC))
    assert finalize_due_invoices(datetime(2026, 1, 2, tzinfo=UTC)) == 1


def quarantine() -> None:
    pull(brake_on_quarantine=True)
    subscribe()
    report(an_event("odd", event="image.render", timestamp="2026-01-07T00:00:00Z"))


def unpriced() -> None:
    pull(brake_on_unpriced=True)
    subscribe(filters={"model": ["gpt-5"]})
    use("a", "2026-01-05T00:00:00Z", units=4, model="llama")


def double_charge() -> None:
    """Both lines are of the draft. Computing never makes two, so one is written by hand before the look at them."""
    pull(brake_on_double_charge=True)
    subscribe()


SCENES: dict[str, tuple[Callable[[], None], str]] = {
    "negative_total": (negative_total, "The total is -$15.50."),
    "many_lines": (many_lines, "2 lines, more than 1."),
    "large_total": (large_total, "$100.00 is 10 times the mean of the last 3 invoices, $10.00."),
    "usage_gone": (usage_gone, "No usage of Units, after some before."),
    "quarantine": (quarantine, "1 event of the period in quarantine."),
    "unpriced": (unpriced, "No price takes 1 event of units."),
}


@pytest.fixture
def other(in_acme: Tenant) -> None:
    """Another customer, whose invoice must go out whatever holds the first."""
    make_subscription(make_customer("other"), make_plan("other", [flat("1")]))


@pytest.mark.parametrize("brake", SCENES)
def test_trips_parks_and_is_released(other: None, brake: str) -> None:
    scene, words = SCENES[brake]
    scene()
    close_due_periods(FEBRUARY)
    drafts = Invoice.objects.filter(status="draft")
    draft = drafts.get(customer__external_id="chat")
    assert finalize_due_invoices(NOW) == 1  # the other one goes on
    draft.refresh_from_db()
    assert (draft.status, draft.parked_at, draft.number) == ("draft", NOW, None)
    reason = ParkReason.objects.get()
    assert (reason.invoice, reason.brake, reason.words) == (draft, brake, words)

    assert next_finalization_at() is None  # nobody waits for it
    with nothing_changes_in("acme"):
        assert finalize_due_invoices(NOW + DAY) == 0
    with pytest.raises(Refused) as refused:
        finalize_invoice(invoice=draft, now=NOW + DAY)
    assert (refused.value.code, words in refused.value.message) == ("parked", True)

    change_draft.release_invoice(invoice=draft, reason="Looked at", total=draft.total, now=NOW + DAY)
    entry = AuditEntry.objects.get(action="invoice.released")
    assert (entry.reason, entry.changes["reasons"]) == ("Looked at", {brake: words})
    assert finalize_due_invoices(NOW + 2 * DAY) == 1
    draft.refresh_from_db()
    assert (draft.status, draft.parked_at) == ("open", None)
    assert ParkReason.objects.get().release_reason == "Looked at"


@pytest.mark.parametrize("brake", SCENES)
def test_does_not_trip_when_it_is_off(other: None, brake: str) -> None:
    SCENES[brake][0]()
    pull(
        brake_on_negative_total=False, brake_on_lines_above=None, brake_on_total_factor=None,
        brake_on_usage_gone=False, brake_on_quarantine=False, brake_on_unpriced=False,
    )  # fmt: skip
    close_due_periods(FEBRUARY)
    assert finalize_due_invoices(NOW) == 2
    assert not ParkReason.objects.exists()


def test_one_price_charged_twice_for_one_time(in_acme: Tenant) -> None:
    double_charge()
    close_due_periods(FEBRUARY)
    draft = Invoice.objects.get()
    [line] = draft.lines.filter(kind="flat")
    later = Invoice.objects.create(
        customer=draft.customer, subscription=draft.subscription, currency="USD", period_start=FEBRUARY,
        period_end=FEBRUARY + DAY, subtotal=10, total=10, usage_cutoff_at=NOW, finalize_due_at=NOW,
    )  # fmt: skip
    InvoiceLine.objects.create(
        invoice=later, position=0, kind="flat", price=line.price, description="Again",
        period_start=draft.period_end - DAY, period_end=FEBRUARY + DAY, unrounded_amount=10, amount=10,
    )  # fmt: skip
    change_draft.refresh_draft(invoice=draft, now=NOW)
    assert ParkReason.objects.get().words == "Base fee: charged twice for the same time."


def test_every_brake_is_on_for_a_new_tenant(in_acme: Tenant) -> None:
    fresh = BillingSettings(pk=1)
    assert (fresh.brake_on_lines_above, fresh.brake_on_total_factor, fresh.brake_on_total_invoices) == (
        500,
        10,
        3,
    )
    names = [field.name for field in BillingSettings._meta.fields if field.name.startswith("brake_on_")]
    assert len(names) == 8
    assert all(getattr(fresh, name) for name in names)


def parked_draft() -> Invoice:
    """One event in quarantine; 10.00 in all."""
    quarantine()
    close_due_periods(FEBRUARY)
    finalize_due_invoices(NOW)
    return Invoice.objects.get(parked_at__isnull=False)


def test_a_release_holds_for_what_was_seen_and_not_for_more(in_acme: Tenant) -> None:
    draft = parked_draft()
    change_draft.release_invoice(invoice=draft, reason="A test event", total=Decimal(10), now=NOW)
    report(an_event("odd-2", event="image.render", timestamp="2026-01-08T00:00:00Z"))
    assert finalize_due_invoices(NOW + DAY) == 0
    reason = ParkReason.objects.get()
    assert (reason.words, reason.released_at) == ("2 events of the period in quarantine.", None)
    change_draft.release_invoice(invoice=draft, reason="Two of them", total=Decimal(10), now=NOW + DAY)
    assert finalize_due_invoices(NOW + DAY) == 1


def test_another_reason_parks_it_again(in_acme: Tenant) -> None:
    draft = parked_draft()
    change_draft.release_invoice(invoice=draft, reason="A test event", total=Decimal(10), now=NOW)
    pull(brake_on_lines_above=1)
    assert finalize_due_invoices(NOW + DAY) == 0
    found = dict(ParkReason.objects.values_list("brake", "release_reason"))
    assert found == {"quarantine": "A test event", "many_lines": ""}


def test_a_refresh_looks_again(in_acme: Tenant) -> None:
    draft = parked_draft()
    pull(brake_on_quarantine=False)
    assert not change_draft.refresh_draft(invoice=draft, now=NOW + DAY).is_parked
    assert not ParkReason.objects.exists()
    assert AuditEntry.objects.get(action="invoice.refreshed").changes["parked"] == [True, False]
    assert finalize_due_invoices(NOW + DAY) == 1


def test_another_amount_than_the_one_seen_is_not_released(in_acme: Tenant) -> None:
    draft = parked_draft()
    use("a", "2026-01-05T00:00:00Z", units=5)
    change_draft.refresh_draft(invoice=draft, now=NOW + DAY)
    with nothing_changes_in("acme"), pytest.raises(Refused) as refused:
        change_draft.release_invoice(invoice=draft, reason="Fine", total=Decimal(10), now=NOW + DAY)
    assert refused.value.code == "total_changed"
    with nothing_changes_in("acme"), pytest.raises(Invalid):
        change_draft.release_invoice(invoice=draft, reason=" ", total=Decimal(15), now=NOW + DAY)
    assert not change_draft.release_invoice(
        invoice=draft, reason="Fine", total=Decimal(15), now=NOW + DAY
    ).is_parked


def test_later_periods_wait_behind_a_parked_one(in_acme: Tenant) -> None:
    draft = parked_draft()
    close_due_periods(datetime(2026, 3, 1, tzinfo=UTC))
    assert next_finalization_at() is None
    assert finalize_due_invoices(datetime(2026, 3, 3, tzinfo=UTC)) == 0
    change_draft.release_invoice(invoice=draft, reason="Fine", total=draft.total, now=NOW)
    assert finalize_due_invoices(datetime(2026, 3, 3, tzinfo=UTC)) == 2


def test_a_mean_of_nothing_says_nothing(in_acme: Tenant) -> None:
    pull(brake_on_total_factor=Decimal("1.5"), brake_on_total_invoices=2)
    make_meter("units", event_name="llm.call")
    version = make_plan("p", [metered("per_unit", unit_amount="1")])
    make_subscription(plan_version=version, started_at=datetime(2025, 11, 1, tzinfo=UTC))
    use("a", "2026-01-05T00:00:00Z", units=90)
    close_due_periods(FEBRUARY)
    assert finalize_due_invoices(NOW) == 3


def test_the_api_shows_and_releases(in_acme: Tenant, acme_api: Api) -> None:
    draft = parked_draft()
    path = f"/invoices/{draft.public_id}"
    listed = acme_api.get("/invoices?parked=true").json()["data"]
    assert [one["id"] for one in listed] == [draft.public_id]
    assert acme_api.get("/invoices?parked=false").json()["data"] == []
    [reason] = acme_api.get(path).json()["park_reasons"]
    assert (reason["brake"], reason["released_at"]) == ("quarantine", None)
    refused = acme_api.post(f"{path}/finalize")
    assert (refused.status_code, refused.json()["code"]) == (409, "parked")
    wrong = acme_api.post(f"{path}/release", {"reason": "Fine", "total": "11"})
    assert (wrong.status_code, wrong.json()["code"]) == (409, "total_changed")
    body = {"reason": "Fine", "total": "10.00"}
    for _ in range(2):
        released = acme_api.post(f"{path}/release", body, idempotency_key="once")
        assert (released.status_code, released.json()["parked_at"]) == (200, None)
    assert acme_api.post(f"{path}/finalize").json()["status"] == "open"
    assert AuditEntry.objects.filter(action="invoice.released").count() == 1
