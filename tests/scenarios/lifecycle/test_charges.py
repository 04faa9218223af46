"""One-off charges: each on exactly one invoice, whatever happens. The arithmetic stands beside the amounts."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.audit.models import AuditEntry
from apps.core.errors import Invalid, Refused
from apps.invoices.models import BillingSettings, Invoice, InvoiceLine, OneOffCharge
from apps.invoices.services.close_periods import close_due_periods, open_due_subscriptions
from apps.invoices.services.finalize_invoice import finalize_invoice
from apps.invoices.services.one_off_charges import add_charge, charge, charge_at_once, withdraw_charge
from apps.invoices.services.preview_change import preview
from apps.invoices.services.void_invoice import reissue_invoice, void_invoice
from apps.subscriptions.models import Subscription
from apps.subscriptions.services.cancel import cancel
from apps.tenants.models import Tenant
from tests.harness.evidence import nothing_changes_in, rolled_back
from tests.harness.factories import make_customer, make_subscription
from tests.scenarios.lifecycle.words import NO_TIME, at, base, bills, fresh, lines, run, sell, start

WHY = "They ordered a workshop."


def on_a_plan() -> Subscription:
    """10.00 a month, paid at the end, since 1 January."""
    return start(sell("pro", base("10")), at("2026-01-01"))


def add(subscription: Subscription, now: datetime, amount: str = "250", **more: Any) -> OneOffCharge:
    given = {"description": "Workshop", "unit_amount": Decimal(amount), "reason": WHY} | more
    return add_charge(subscription=subscription, now=now, **given)


def at_once(subscription: Subscription, now: datetime, amount: str = "250") -> OneOffCharge:
    return charge_at_once(
        subscription=subscription, description="Workshop", unit_amount=Decimal(amount), reason=WHY, now=now
    )


def charged() -> list[tuple[str, str]]:
    """Start and amount of every invoice line for a charge that is not void."""
    found = InvoiceLine.objects.filter(kind="charge").exclude(invoice__status="void")
    return [
        (f"{one.invoice.period_start:%m-%d}", one.amount_text)
        for one in found.select_related("invoice").order_by("invoice__period_start", "position")
    ]


# On the invoice of its cycle


def test_it_is_on_the_invoice_of_its_cycle_and_on_no_other(in_acme: Tenant) -> None:
    subscription = on_a_plan()
    made = add(subscription, at("2026-01-20"))
    assert made.public_id.startswith("chg_")
    run(at("2026-02-01"))
    assert lines() == [("flat", "Base", "10.00"), ("charge", "Workshop", "250.00")]
    run(at("2026-04-01"))
    assert charged() == [("01-01", "250.00")]
    assert bills()[0] == ("26-01-01", "26-02-01", "260.00")
    with nothing_changes_in("acme"):
        close_due_periods(at("2026-04-01"))
    entry = AuditEntry.objects.get(action="subscription.charged")
    assert (entry.reason, entry.changes["amount"]) == (WHY, "250.00")


def test_at_a_boundary_it_belongs_to_the_cycle_that_begins(in_acme: Tenant) -> None:
    subscription = on_a_plan()
    add(subscription, at("2026-01-20"), charged_at=at("2026-02-01"))
    add(subscription, at("2026-01-20"), "1", charged_at=at("2026-02-01") - timedelta(microseconds=1))
    run(at("2026-03-01"))
    assert charged() == [("01-01", "1.00"), ("02-01", "250.00")]


def test_it_is_rounded_once(in_acme: Tenant) -> None:
    """3 × 33.335 = 100.005 → 100.01; as a credit −100.01."""
    subscription = on_a_plan()
    add(subscription, at("2026-01-20"), "33.335", quantity=Decimal(3))
    add(subscription, at("2026-01-21"), "-33.335", quantity=Decimal(3), description="Goodwill")
    run(at("2026-02-01"))
    assert lines()[1:] == [("charge", "Workshop", "100.01"), ("charge", "Goodwill", "-100.01")]
    for line in InvoiceLine.objects.filter(kind="charge"):
        assert sum(Decimal(step["amount"]) for step in line.steps) == line.unrounded_amount
        assert line.unit_amount in (Decimal("33.335"), Decimal("-33.335"))


def test_void_and_reissued_it_is_there_once(in_acme: Tenant) -> None:
    subscription = on_a_plan()
    add(subscription, at("2026-01-20"))
    run(at("2026-02-01"))
    reissue_invoice(invoice=Invoice.objects.get(), reason="Anew.", now=at("2026-02-04"))
    run(at("2026-03-01"))
    assert charged() == [("01-01", "250.00")]


def test_a_draft_has_it_and_a_later_one_is_the_next_cycle_s(in_acme: Tenant) -> None:
    subscription = on_a_plan()
    add(subscription, at("2026-01-20"))
    run(at("2026-02-01"), grace=NO_TIME)
    with pytest.raises(Refused) as refused:
        add(subscription, at("2026-02-01 12:00"), charged_at=at("2026-01-31"))
    assert refused.value.code == "already_billed"
    add(subscription, at("2026-02-01 12:00"), "1")
    run(at("2026-02-03"))
    run(at("2026-03-01"))
    assert charged() == [("01-01", "250.00"), ("02-01", "1.00")]


@pytest.mark.parametrize("unused", ["credit", "nothing"])
def test_the_last_invoice_takes_what_is_dated_after_the_end(in_acme: Tenant, unused: str) -> None:
    """Charged on the 20th, cancelled on the 25th as of the 15th: it is still owed."""
    subscription = on_a_plan()
    add(subscription, at("2026-01-20"))
    cancel(subscription=subscription, when="date", at=at("2026-01-15"), unused=unused, now=at("2026-01-25"))
    run(at("2026-01-25"))
    assert charged() == [("01-01", "250.00")]


def test_cancelled_where_it_is_billed_it_is_owed_too(in_acme: Tenant) -> None:
    subscription = on_a_plan()
    run(at("2026-02-01"))
    add(subscription, at("2026-02-10"))
    cancel(subscription=subscription, when="date", at=at("2026-02-01"), unused="credit", now=at("2026-02-11"))
    run(at("2026-02-11"))
    assert charged() == [("02-01", "250.00")]


@pytest.mark.parametrize("begins", ["2026-01-01", "2026-02-01"])
def test_before_it_began_it_is_not_cancelled_with_a_charge(in_acme: Tenant, begins: str) -> None:
    """It gets no invoice, so the charge would be on none and wait for ever."""
    subscription = start(sell("pro", base("10")), at(begins), now=at("2026-01-01"))
    made = add(subscription, at("2026-01-01"), charged_at=at(begins))
    cancelled = {"subscription": subscription, "when": "now", "unused": "credit", "now": at("2026-01-01")}
    with nothing_changes_in("acme"), pytest.raises(Refused) as refused:
        cancel(**cancelled)
    assert refused.value.code == "charges_waiting"
    withdraw_charge(charge=made, reason="They never came.", now=at("2026-01-01"))
    assert cancel(**cancelled).status == Subscription.Status.ENDED


def test_an_opening_has_none(in_acme: Tenant) -> None:
    subscription = start(sell("pro", base("10", "advance")), at("2026-01-01"))
    add(subscription, at("2026-01-01"))
    run(at("2026-01-01"))
    assert lines() == [("flat", "Base", "10.00")]
    run(at("2026-02-01"))
    assert charged() == [("01-01", "250.00")]


# Billed at once


def test_billed_at_once_it_has_an_invoice_of_its_own(in_acme: Tenant) -> None:
    subscription = on_a_plan()
    made = at_once(subscription, at("2026-01-20"))
    draft = Invoice.objects.get()
    assert (draft.kind, draft.status, draft.total) == ("one_off", "draft", 250)
    issued = finalize_invoice(invoice=draft, now=at("2026-01-20"))
    assert issued.number
    assert lines(issued) == [("charge", "Workshop", "250.00")]
    run(at("2026-02-01"))
    assert lines() == [("flat", "Base", "10.00")]
    assert InvoiceLine.objects.get(one_off=made).invoice == issued


def test_two_at_one_instant_are_two_invoices(in_acme: Tenant) -> None:
    """The clock of a sandbox stands still."""
    subscription = on_a_plan()
    at_once(subscription, at("2026-01-20"), "1")
    at_once(subscription, at("2026-01-20"), "2")
    run(at("2026-01-21"))
    assert [one.total for one in Invoice.objects.order_by("id")] == [1, 2]
    assert all(one.number for one in Invoice.objects.all())


def test_it_waits_for_no_other_draft_and_no_other_for_it(in_acme: Tenant) -> None:
    subscription = on_a_plan()
    run(at("2026-02-01"), grace=NO_TIME)
    cycle = Invoice.objects.get()
    at_once(subscription, at("2026-02-01 06:00"))
    alone = Invoice.objects.get(kind="one_off")
    finalize_invoice(invoice=alone, now=at("2026-02-01 07:00"))
    at_once(subscription, at("2026-02-01 08:00"))
    finalize_invoice(invoice=cycle, now=at("2026-02-01 09:00"))


def test_void_and_reissued_at_once_it_is_there_once(in_acme: Tenant) -> None:
    subscription = on_a_plan()
    at_once(subscription, at("2026-01-20"))
    run(at("2026-01-21"))
    reissue_invoice(invoice=Invoice.objects.get(), reason="Anew.", now=at("2026-01-24"))
    run(at("2026-01-26"))
    run(at("2026-02-01"))
    assert charged() == [("01-20", "250.00")]
    assert sum(one.total for one in Invoice.objects.exclude(status="void")) == 260


def test_an_opening_can_be_void_beside_it(in_acme: Tenant) -> None:
    """It rests on no fee that was charged ahead."""
    subscription = start(sell("pro", base("10", "advance")), at("2026-01-01"))
    run(at("2026-01-01"))
    at_once(subscription, at("2026-01-20"))
    run(at("2026-01-21"))
    void_invoice(invoice=Invoice.objects.get(kind="opening"), reason="Wrong.", now=at("2026-01-24"))


def test_after_the_end_only_at_once(in_acme: Tenant) -> None:
    subscription = on_a_plan()
    cancel(subscription=subscription, when="now", unused="credit", now=at("2026-01-15"))
    with pytest.raises(Refused) as refused:
        add(subscription, at("2026-01-16"))
    assert refused.value.code == "no_further_invoice"
    run(at("2026-01-16"))
    with nothing_changes_in("acme"), pytest.raises(Refused) as refused:
        add(fresh(subscription), at("2026-01-20"))
    assert "bill it at once" in refused.value.message
    at_once(subscription, at("2026-01-20"))
    run(at("2026-01-21"))
    assert charged() == [("01-20", "250.00")]


def test_a_credit_is_no_invoice_of_its_own(in_acme: Tenant) -> None:
    subscription = on_a_plan()
    with nothing_changes_in("acme"), pytest.raises(Invalid) as refused:
        at_once(subscription, at("2026-01-20"), "-5")
    assert refused.value.code == "invalid_amount"


def test_a_large_one_is_braked(in_acme: Tenant) -> None:
    subscription = on_a_plan()
    run(at("2026-04-01"))
    BillingSettings.objects.update(brake_on_total_factor=Decimal(10), brake_on_total_invoices=3)
    at_once(subscription, at("2026-04-05"), "5000")
    run(at("2026-04-06"))
    draft = Invoice.objects.get(kind="one_off")
    assert draft.is_parked
    # Periods go on meanwhile.
    run(at("2026-05-01"))
    assert Invoice.objects.filter(kind="cycle", status="draft").count() == 0


# Withdrawn


def test_withdrawn_it_is_on_none(in_acme: Tenant) -> None:
    subscription = on_a_plan()
    made = add(subscription, at("2026-01-20"))
    withdraw_charge(charge=made, reason="A slip.", now=at("2026-01-21"))
    with pytest.raises(Refused) as refused:
        withdraw_charge(charge=made, reason="Again.", now=at("2026-01-22"))
    assert refused.value.code == "already_withdrawn"
    run(at("2026-02-01"))
    assert charged() == []


@pytest.mark.parametrize("is_issued", [True, False])
def test_what_is_invoiced_is_not_withdrawn(in_acme: Tenant, is_issued: bool) -> None:
    subscription = on_a_plan()
    made = add(subscription, at("2026-01-20"))
    run(at("2026-02-01"), **({} if is_issued else {"grace": NO_TIME}))
    with nothing_changes_in("acme"), pytest.raises(Refused) as refused:
        withdraw_charge(charge=made, reason="A slip.", now=at("2026-02-03"))
    assert refused.value.code == "already_invoiced"


def test_void_withdrawn_and_reissued_it_is_on_none(in_acme: Tenant) -> None:
    subscription = on_a_plan()
    made = add(subscription, at("2026-01-20"))
    run(at("2026-02-01"))
    invoice = void_invoice(invoice=Invoice.objects.get(), reason="Wrong.", now=at("2026-02-04"))
    withdraw_charge(charge=made, reason="Never delivered.", now=at("2026-02-04"))
    reissue_invoice(invoice=invoice, reason="Without it.", now=at("2026-02-04"))
    run(at("2026-02-06"))
    assert charged() == []


def test_void_and_withdrawn_an_invoice_of_its_own_is_not_reissued(in_acme: Tenant) -> None:
    """It would have a number, and no line."""
    made = at_once(on_a_plan(), at("2026-01-20"))
    run(at("2026-01-21"))
    invoice = void_invoice(invoice=Invoice.objects.get(), reason="Wrong.", now=at("2026-01-24"))
    withdraw_charge(charge=made, reason="Never delivered.", now=at("2026-01-24"))
    with nothing_changes_in("acme"), pytest.raises(Refused) as refused:
        reissue_invoice(invoice=invoice, reason="Anew.", now=at("2026-01-24"))
    assert refused.value.code == "charge_withdrawn"


# What is refused


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"description": "  "}, "description_missing"),
        ({"description": "x" * 251}, "description_too_long"),
        ({"quantity": Decimal(0)}, "invalid_quantity"),
        ({"quantity": Decimal(-1)}, "invalid_quantity"),
        ({"amount": "0"}, "invalid_amount"),
        ({"amount": "0.004"}, "invalid_amount"),
        ({"amount": "1e15"}, "invalid_amount"),
        ({"amount": "1e40"}, "invalid_amount"),
        ({"reason": " "}, "reason_missing"),
    ],
)
def test_what_is_no_charge(in_acme: Tenant, given: dict[str, Any], code: str) -> None:
    subscription = on_a_plan()
    with nothing_changes_in("acme"), pytest.raises(Invalid) as refused:
        add(subscription, at("2026-01-20"), **given)
    assert refused.value.code == code


def test_the_database_keeps_it_as_it_was(in_acme: Tenant) -> None:
    made = add(on_a_plan(), at("2026-01-20"))
    for change in ({"amount": 1}, {"charged_at": at("2026-01-21")}, {"description": "Gift"}):
        with pytest.raises(IntegrityError, match="can't be changed"), transaction.atomic():
            OneOffCharge.objects.filter(pk=made.pk).update(**change)
    with pytest.raises(IntegrityError, match="can't be changed"), transaction.atomic():
        OneOffCharge.objects.filter(pk=made.pk).delete()


# Laws, previews, statements


def test_what_is_previewed_is_billed(in_acme: Tenant) -> None:
    subscription = on_a_plan()
    given = {"description": "Workshop", "unit_amount": Decimal(250), "reason": WHY}
    for at_once_too, total in ((False, 260), (True, 250)):
        with nothing_changes_in("acme"):
            seen = preview(
                charge, subscription=subscription, now=at("2026-01-20"), **given, at_once=at_once_too
            )
        assert seen.difference == 250
        assert total in [one.total for one in seen.after]


CHARGES = st.lists(st.tuples(st.integers(0, 89 * 24), st.integers(1, 999)), min_size=1, max_size=8)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(charges=CHARGES, voids=st.lists(st.integers(0, 3), max_size=3), ends=st.booleans())
def test_each_is_billed_exactly_once(
    in_acme: Tenant, charges: list[tuple[int, int]], voids: list[int], ends: bool
) -> None:
    """Whenever it is made, closed twice, void and reissued, cancelled as of a day before it."""
    with rolled_back():
        subscription = on_a_plan()
        total = 0
        for hour, amount in sorted(charges):
            now = at("2026-01-01") + timedelta(hours=hour)
            run(now)
            (at_once if amount % 5 == 0 else add)(fresh(subscription), now, str(amount))
            total += amount
        if ends:
            now = at("2026-03-31")
            run(now)
            cursor = fresh(subscription).invoiced_until
            cancel(subscription=subscription, when="date", at=cursor, unused="credit", now=now)
        run(at("2026-04-01"))
        for number in voids:
            issued = Invoice.objects.filter(status="open", lines__kind="charge").order_by("id").distinct()
            if number < len(issued):
                reissue_invoice(invoice=issued[number], reason="Anew.", now=at("2026-04-03"))
        for _ in range(2):
            run(at("2026-05-01"))
        live = InvoiceLine.objects.filter(kind="charge", invoice__status="open")
        assert sum(live.values_list("amount", flat=True)) == total
        assert live.count() == len(charges)
        with nothing_changes_in("acme"):
            run(at("2026-05-01"))


def test_a_batch_costs_the_same_however_many_there_are(in_acme: Tenant) -> None:
    version = sell("pro", base("10"))
    subscriptions = [
        make_subscription(make_customer(f"c{number}"), version, started_at=at("2026-01-01"))
        for number in range(12)
    ]
    counts = []
    for many in (0, 1, 5):
        with rolled_back():
            for one in subscriptions[: 12 if many else 0]:
                for _ in range(many):
                    add(one, at("2026-01-20"))
            open_due_subscriptions(at("2026-02-01"))
            with CaptureQueriesContext(connection) as captured:
                assert close_due_periods(at("2026-02-01")) == 12
            counts.append(len(captured))
            assert InvoiceLine.objects.filter(kind="charge").count() == 12 * many
    assert counts == [counts[0]] * 3
