"""One number series and one invoice in many hands: no gap, no duplicate, and one who acts."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from django.db import transaction

from apps.audit.models import AuditEntry
from apps.core.errors import Refused
from apps.customers.models import Customer
from apps.invoices.models import Invoice, InvoiceSeries, LegalEntity
from apps.invoices.services import change_draft, entities, settle_invoice
from apps.invoices.services.bill_late_after_end import bill_late_after_end
from apps.invoices.services.close_periods import close_due_periods
from apps.invoices.services.finalize_invoice import finalize_due_invoices, finalize_invoice
from apps.invoices.services.late_after_end import late_after_end
from apps.invoices.services.void_invoice import reissue_invoice, void_invoice
from apps.subscriptions.services.cancel import cancel
from apps.tenants.models import Tenant
from tests.concurrency.together import returned, together
from tests.harness.factories import an_event, flat, make_customer, make_plan, make_subscription, report

FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
NOW = FEBRUARY + timedelta(days=2)


def drafts(count: int) -> list[Invoice]:
    version = make_plan("base", [flat("31")])
    for number in range(count):
        make_subscription(make_customer(f"c{number:02}"), version)
    close_due_periods(FEBRUARY)
    return list(Invoice.objects.order_by("id"))


def finalize(invoice: Invoice, fails: bool) -> None:
    with transaction.atomic():
        finalize_invoice(invoice=invoice, now=NOW)
        if fails:
            raise ConnectionError("after the number was taken")


def numbers(prefix: str) -> list[str]:
    found = Invoice.objects.filter(number__startswith=prefix).values_list("number", flat=True)
    return sorted(number for number in found if number)


def test_thirty_two_on_one_series_with_rollbacks_leave_no_gap(fresh_database: str, in_acme: Tenant) -> None:
    """All at once, on as many connections; every other one fails after it has taken a number."""
    invoices = drafts(32)
    done = together(in_acme, [partial(finalize, one, one.pk % 2 == 1) for one in invoices])
    assert [isinstance(one, ConnectionError) for one in done] == [one.pk % 2 == 1 for one in invoices]
    assert [one for one in done if one is not None and not isinstance(one, ConnectionError)] == []
    assert numbers("ACME") == [f"ACME-2026-{number:06}" for number in range(1, 17)]
    assert InvoiceSeries.objects.get().last_number == 16
    # Once more, with those that failed.
    left = [one for one in invoices if one.pk % 2 == 1]
    returned(together(in_acme, [partial(finalize, one, False) for one in left]))
    assert numbers("ACME") == [f"ACME-2026-{number:06}" for number in range(1, 33)]
    assert InvoiceSeries.objects.get().last_number == 32


def test_two_entities_count_apart_and_side_by_side(fresh_database: str, in_acme: Tenant) -> None:
    second = LegalEntity.objects.create(name="Acme GmbH", number_prefix="ACDE")
    invoices = drafts(16)
    for customer in Customer.objects.order_by("id")[:8]:
        entities.change_terms(customer=customer, legal_entity=second)
    returned(together(in_acme, [partial(finalize, one, False) for one in invoices]))
    for prefix in ("ACME", "ACDE"):
        assert numbers(prefix) == [f"{prefix}-2026-{number:06}" for number in range(1, 9)]


def test_one_series_does_not_wait_for_another(fresh_database: str, in_acme: Tenant) -> None:
    """The first entity's series is held open while an invoice of the second is issued: it is not held up."""
    second = LegalEntity.objects.create(name="Acme GmbH", number_prefix="ACDE")
    first, other = drafts(2)
    entities.change_terms(customer=other.customer, legal_entity=second)
    with transaction.atomic():
        finalize_invoice(invoice=first, now=NOW)
        returned(together(in_acme, [partial(finalize, other, False)]))
    assert (len(numbers("ACME")), len(numbers("ACDE"))) == (1, 1)


def test_of_many_who_end_it_one_does(fresh_database: str, in_acme: Tenant) -> None:
    [draft] = drafts(1)
    invoice = finalize_invoice(invoice=draft, now=NOW)
    more = {"invoice": invoice, "reason": "Because", "now": NOW}
    pay = partial(settle_invoice.mark_paid, reference="T", **more)
    calls = [partial(void_invoice, **more)] * 2 + [pay] * 2
    done = together(in_acme, calls)
    assert Counter(type(one) for one in done) == {Invoice: 1, Refused: 3}
    invoice.refresh_from_db()
    assert invoice.status in ("void", "paid")
    assert AuditEntry.objects.filter(action__in=["invoice.voided", "invoice.paid"]).count() == 1


def test_of_many_who_bill_late_usage_after_the_end_one_does(fresh_database: str, in_acme: Tenant) -> None:
    """While events come in: 2.50 for a million tokens each, on this invoice or still listed after it."""
    subscription = make_subscription()
    cancel(subscription=subscription, when="date", at=FEBRUARY, unused="nothing", now=FEBRUARY)
    close_due_periods(FEBRUARY)
    finalize_due_invoices(NOW)
    report(*late_events("before", 4), now=NOW)
    bill = partial(bill_late_after_end, subscription=subscription, reason="Late", now=NOW)
    sending = [partial(report, *late_events(f"beside-{number}", 3), now=NOW) for number in range(3)]
    done = together(in_acme, [bill, bill, bill, *sending])
    assert [one.code for one in done if isinstance(one, Refused)] == ["draft_waits"] * 2
    draft = Invoice.objects.get(kind="late")
    together(in_acme, [partial(finalize, draft, False), *[partial(report, *late_events("last", 3), now=NOW)]])
    draft.refresh_from_db()
    listed = sum(one.amount for one in late_after_end(now=NOW))
    assert draft.total + listed == Decimal("2.50") * (4 + 9 + 3)


def late_events(name: str, count: int) -> list[dict[str, Any]]:
    properties = {"input_tokens": 1_000_000, "output_tokens": 0}
    return [an_event(f"{name}-{number}", properties=properties) for number in range(count)]


def test_of_two_who_reissue_one_does(fresh_database: str, in_acme: Tenant) -> None:
    [draft] = drafts(1)
    invoice = finalize_invoice(invoice=draft, now=NOW)
    done = together(in_acme, [partial(reissue_invoice, invoice=invoice, reason="Wrong", now=NOW)] * 4)
    assert [one.code for one in done if isinstance(one, Refused)] == ["reissued_already"] * 3
    assert Invoice.objects.get(status="draft").reissue_of == invoice


def test_a_refresh_beside_a_finalizer_changes_nothing_that_is_issued(
    fresh_database: str, in_acme: Tenant
) -> None:
    make_subscription()
    close_due_periods(FEBRUARY)
    draft = Invoice.objects.get()
    report(an_event("late", properties={"input_tokens": 1_000_000, "output_tokens": 0}))
    done = together(
        in_acme,
        [
            partial(finalize_invoice, invoice=draft, now=NOW),
            partial(change_draft.refresh_draft, invoice=draft, now=NOW),
            partial(change_draft.refresh_draft, invoice=draft, now=NOW),
        ],
    )
    assert {one.code for one in done if isinstance(one, Refused)} <= {"not_a_draft"}
    assert [one for one in done if isinstance(one, Exception) and not isinstance(one, Refused)] == []
    draft.refresh_from_db()
    assert (draft.status, draft.total_text) == ("open", "2.50")
    assert sum(line.amount for line in draft.lines.all()) == draft.total


def test_a_prefix_changes_before_the_first_number_or_never(fresh_database: str, in_acme: Tenant) -> None:
    """The entity is read before somebody changes its prefix, and its first number taken afterwards, or at once."""
    invoices = drafts(8)
    [entity] = LegalEntity.objects.all()
    rename = partial(entities.change_entity, entity=entity, number_prefix="NEW")
    done = together(in_acme, [*(partial(finalize, one, False) for one in invoices), rename])
    renamed = done.pop()
    assert [one for one in done if one is not None] == []
    if isinstance(renamed, Exception):
        assert isinstance(renamed, Refused), renamed
        assert renamed.code == "prefix_fixed"
    prefix = "ACME" if isinstance(renamed, Exception) else "NEW"
    assert numbers("") == [f"{prefix}-2026-{number:06}" for number in range(1, 9)]
