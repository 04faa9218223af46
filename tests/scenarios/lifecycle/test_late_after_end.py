"""Events that come after the last invoice of an ended subscription: shown with what they would have cost."""

from decimal import Decimal
from typing import Any

import pytest
from django_tenants.utils import tenant_context

from apps.audit.models import AuditEntry
from apps.core import clock
from apps.core.errors import Refused
from apps.invoices.models import Invoice
from apps.invoices.services.bill_late_after_end import bill_late_after_end
from apps.invoices.services.close_periods import close_due_periods
from apps.invoices.services.finalize_invoice import finalize_due_invoices, finalize_invoice
from apps.invoices.services.late_after_end import late_after_end
from apps.invoices.services.void_invoice import reissue_invoice, void_invoice
from apps.subscriptions.models import Subscription
from apps.subscriptions.services.cancel import cancel
from apps.tenants.models import Tenant
from apps.usage.services.corrections.void_event import void_event
from tests.harness.clients import Staff
from tests.harness.factories import an_event, make_meter, report
from tests.scenarios.lifecycle.words import DAY, at, calls, lines, run, sell, start

NOW = at("2026-01-20")


@pytest.fixture
def ending(in_acme: Tenant) -> Subscription:
    """2.00 a call from 1 to 15 January, with one call that is on the last invoice."""
    make_meter("calls", aggregation="count", unit="call")
    subscription = start(sell("a", calls("2")), at("2026-01-01"))
    cancel(
        subscription=subscription, when="date", at=at("2026-01-15"), unused="nothing", now=at("2026-01-10")
    )
    called("known", "2026-01-05T00:00:00Z")
    return subscription


def called(event_id: str, timestamp: str) -> None:
    [verdict] = report(an_event(event_id, timestamp=timestamp, properties={}), now=NOW)
    assert verdict.status == "accepted", verdict


def test_names_events_and_amount(ending: Subscription) -> None:
    """Three calls came late, 3 * 2.00 = 6.00; one after the end is nobody's."""
    run(at("2026-01-16"))
    assert Invoice.objects.get().total == 2
    assert late_after_end(now=NOW) == []
    for number in range(3):
        called(f"late-{number}", "2026-01-06T00:00:00Z")
    called("after", "2026-01-15T00:00:00Z")
    [found] = late_after_end(now=NOW)
    assert (found.subscription, found.event_count, found.amount) == (ending, 3, Decimal("6.00"))


def test_a_draft_takes_it_still(ending: Subscription) -> None:
    close_due_periods(at("2026-01-16"))
    called("late", "2026-01-06T00:00:00Z")
    assert late_after_end(now=NOW) == []


def test_staff_see_it_beside_what_is_parked(
    ending: Subscription, acme: Tenant, olga: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    run(at("2026-01-16"))
    called("late", "2026-01-06T00:00:00Z")
    shown = Subscription.objects.get()
    page = olga.get("/admin/invoices/invoice/parked/").content.decode()
    with tenant_context(acme):
        assert f"/admin/subscriptions/subscription/{shown.pk}/change/" in page
    assert "Late usage of ended subscriptions" in page


BECAUSE = {"reason": "Sent too late", "now": NOW}


def late(ending: Subscription, count: int, first: int = 0) -> Subscription:
    """Ended, billed, and then so many calls more."""
    run(at("2026-01-16"))
    for number in range(first, first + count):
        called(f"late-{number}", "2026-01-06T00:00:00Z")
    ending.refresh_from_db()
    return ending


def refused(call: Any, **given: Any) -> str:
    with pytest.raises(Refused) as caught:
        call(**given)
    return caught.value.code


def test_it_is_billed_once_on_an_invoice_of_its_own(ending: Subscription) -> None:
    subscription = late(ending, 3)
    draft = bill_late_after_end(subscription=subscription, total=Decimal(6), **BECAUSE)
    assert (draft.kind, draft.status, draft.total) == ("late", "draft", 6)
    assert (draft.period_start, draft.period_end) == (at("2026-01-15"), NOW)
    assert lines(draft) == [("adjustment", "Calls: late usage", "6.00")]
    entry = AuditEntry.objects.get(action="invoice.late_usage_billed")
    assert (entry.reason, entry.changes["total"]) == ("Sent too late", "6.0000")
    # While the draft waits nothing else takes it, and it takes what comes meanwhile.
    assert late_after_end(now=NOW) == []
    assert refused(bill_late_after_end, subscription=subscription, **BECAUSE) == "draft_waits"
    called("later", "2026-01-07T00:00:00Z")
    assert finalize_due_invoices(NOW + 3 * DAY) == 1
    draft.refresh_from_db()
    assert (draft.status, draft.total, draft.number) == ("open", 8, "ACME-2026-000002")
    assert late_after_end(now=NOW) == []
    assert refused(bill_late_after_end, subscription=subscription, **BECAUSE) == "nothing_late"


def test_what_comes_later_still_is_on_another_one(ending: Subscription) -> None:
    """And usage that was taken back comes back: 2.00 for one call more, then -4.00 for two that never were."""
    subscription = late(ending, 1)
    first = bill_late_after_end(subscription=subscription, **BECAUSE)
    finalize_invoice(invoice=first, now=NOW)
    for event_id in ("late-0", "known"):
        void_event(event_id=event_id, **BECAUSE)
    second = bill_late_after_end(subscription=subscription, reason="Never made", now=NOW + DAY)
    assert (second.period_start, second.period_end) == (NOW, NOW + DAY)
    assert second.total == -4
    finalize_invoice(invoice=second, now=NOW + DAY)
    assert sum(one.total for one in Invoice.objects.all()) == 0


def test_void_it_waits_again_and_the_last_invoice_rests_under_it(ending: Subscription) -> None:
    subscription = late(ending, 3)
    issued = finalize_invoice(invoice=bill_late_after_end(subscription=subscription, **BECAUSE), now=NOW)
    last = Invoice.objects.get(kind="cycle")
    assert refused(void_invoice, invoice=last, **BECAUSE) == "invoices_rest_on_it"
    void_invoice(invoice=issued, **BECAUSE)
    [found] = late_after_end(now=NOW)
    assert found.amount == 6
    again = bill_late_after_end(subscription=subscription, **BECAUSE)
    assert refused(reissue_invoice, invoice=issued, **BECAUSE) == "period_billed"
    finalize_invoice(invoice=again, now=NOW)
    assert late_after_end(now=NOW) == []


def test_void_while_what_gave_it_back_stands_it_leaves_less_than_nothing_billed(
    ending: Subscription,
) -> None:
    """1 call for 2.00; then 3 more, +6.00; then none was made, -8.00. With the +6.00 void -6.00 are billed for 0."""
    subscription = late(ending, 3)
    more = finalize_invoice(invoice=bill_late_after_end(subscription=subscription, **BECAUSE), now=NOW)
    for event_id in ("late-0", "late-1", "late-2", "known"):
        void_event(event_id=event_id, **BECAUSE)
    back = bill_late_after_end(subscription=subscription, reason="Never made", now=NOW + DAY)
    assert finalize_invoice(invoice=back, now=NOW + DAY).total == -8
    void_invoice(invoice=more, **BECAUSE)
    [found] = late_after_end(now=NOW + DAY)
    assert found.amount == 6
    third = bill_late_after_end(subscription=subscription, reason="Given back twice", now=NOW + 2 * DAY)
    assert finalize_invoice(invoice=third, now=NOW + 2 * DAY).total == 6
    assert late_after_end(now=NOW + 2 * DAY) == []


def test_reissued_it_says_what_is_late_by_then(ending: Subscription) -> None:
    issued = finalize_invoice(invoice=bill_late_after_end(subscription=late(ending, 3), **BECAUSE), now=NOW)
    called("later", "2026-01-07T00:00:00Z")
    draft = reissue_invoice(invoice=issued, **BECAUSE)
    assert (draft.kind, draft.total) == ("late", 8)
    assert finalize_invoice(invoice=draft, now=NOW).total == 8


def test_the_last_invoice_is_reissued_before_it(ending: Subscription) -> None:
    """Both are void; what was late is on the reissue of the last invoice, and a new one has nothing left."""
    subscription = late(ending, 3)
    issued = finalize_invoice(invoice=bill_late_after_end(subscription=subscription, **BECAUSE), now=NOW)
    last = Invoice.objects.get(kind="cycle")
    void_invoice(invoice=issued, **BECAUSE)
    draft = reissue_invoice(invoice=last, **BECAUSE)
    assert draft.total == 8
    second = reissue_invoice(invoice=issued, **BECAUSE)
    assert second.total == 0
    assert refused(finalize_invoice, invoice=second, now=NOW) == "earlier_draft"
    finalize_invoice(invoice=draft, now=NOW)
    assert finalize_invoice(invoice=second, now=NOW).total == 0


def test_nothing_is_billed_while_it_runs_or_of_another_amount(ending: Subscription) -> None:
    assert refused(bill_late_after_end, subscription=ending, **BECAUSE) == "not_ended"
    subscription = late(ending, 3)
    assert (
        refused(bill_late_after_end, subscription=subscription, total=Decimal(4), **BECAUSE)
        == "total_changed"
    )
    assert Invoice.objects.count() == 1


def test_staff_bill_it_with_a_reason(
    ending: Subscription, acme: Tenant, olga: Staff, sam: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    subscription = late(ending, 3)
    page = f"/admin/invoices/invoice/late/{subscription.pk}/"
    assert "Late usage after the end" in olga.get("/admin/").content.decode()
    assert page in olga.get("/admin/invoices/invoice/parked/").content.decode()
    assert sam.get(page).status_code == 403
    asked = olga.get(page).content.decode()
    assert "Bill late usage of $6.00 to Chat?" in asked
    looked_before = {"reason": "Sent too late", "total": "4.0000"}
    assert olga.post(page, looked_before).headers["Location"] == page
    assert "look at it once more" in olga.get(page).content.decode()
    done = olga.post(page, {"reason": "Sent too late", "total": "6.0000"})
    assert done.headers["Location"] == "/admin/invoices/invoice/parked/"
    with tenant_context(acme):
        assert Invoice.objects.get(kind="late").total == 6
    assert "Late usage after the end" not in olga.get("/admin/").content.decode()
    assert olga.get(page).status_code == 302
