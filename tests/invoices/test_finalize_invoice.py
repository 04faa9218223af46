"""Finalizing: usage is read a last time, the parties are frozen, the number is taken."""

from datetime import UTC, date, datetime, timedelta

import pytest

from apps.audit.models import AuditEntry
from apps.core.errors import Refused
from apps.customers.models import Customer
from apps.invoices.models import BillingSettings, Invoice, InvoiceSeries, LegalEntity
from apps.invoices.services.close_periods import close_due_periods
from apps.invoices.services.finalize_invoice import finalize_due_invoices, finalize_invoice
from apps.tenants.models import Tenant
from tests.harness.clients import Api
from tests.harness.evidence import nothing_changes_in, rolled_back
from tests.harness.factories import an_event, flat, make_customer, make_plan, make_subscription, report

FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def draft(in_acme: Tenant) -> Invoice:
    customer = make_customer(
        name="Chat Inc.", address_line1="1 Main St", postal_code="10115", city="Berlin", country="DE",
        tax_id="DE123456789", time_zone="Pacific/Kiritimati",
    )  # fmt: skip
    make_subscription(customer, started_at=datetime(2025, 12, 31, 10, tzinfo=UTC))
    report(an_event())
    assert close_due_periods(FEBRUARY) == 1
    return Invoice.objects.get()


def test_issues_the_invoice(draft: Invoice) -> None:
    LegalEntity.objects.update(
        name="Acme Ltd", address="2 Side St\nDublin", tax_ids="IE1", payment_due_days=30
    )
    invoice = finalize_invoice(invoice=draft, now=FEBRUARY + DAY)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.number) == ("open", "ACME-2026-000001")
    assert (invoice.finalized_at, invoice.usage_cutoff_at) == (FEBRUARY + DAY, FEBRUARY + DAY)
    assert invoice.due_on == date(2026, 3, 4)  # it is 14:00 on 2 February in Kiritimati
    assert (invoice.seller_name, invoice.seller_address, invoice.seller_tax_id) == (
        "Acme Ltd", "2 Side St\nDublin", "IE1",
    )  # fmt: skip
    assert invoice.customer_name == "Chat Inc."
    assert invoice.customer_address == "1 Main St\n10115 Berlin\nDE"
    assert invoice.customer_tax_id == "DE123456789"
    assert invoice.total_text == "0.00"


def test_records_who_did_it(draft: Invoice, acme_api: Api) -> None:
    response = acme_api.post(f"/invoices/{draft.public_id}/finalize")
    assert (response.status_code, response.json()["status"]) == (200, "open")
    entry = AuditEntry.objects.get(action="invoice.finalized")
    assert (entry.actor_kind, entry.actor) == ("api_key", "ch_live_acme_aaaa")
    assert entry.target_id == draft.public_id
    assert entry.request_id == response["X-Request-Id"]


def test_a_copy_of_the_parties_outlives_their_changes(draft: Invoice) -> None:
    invoice = finalize_invoice(invoice=draft, now=FEBRUARY + DAY)
    Customer.objects.update(name="Other Inc.")
    LegalEntity.objects.update(name="Other Ltd")
    invoice.refresh_from_db()
    assert (invoice.customer_name, invoice.seller_name) == ("Chat Inc.", "Acme")


def test_events_of_the_grace_period_belong_to_it(draft: Invoice) -> None:
    report(an_event("late", properties={"input_tokens": 999_000, "output_tokens": 99_900}))
    draft.refresh_from_db()
    assert draft.total_text == "0.00"
    invoice = finalize_invoice(invoice=draft, now=FEBRUARY + DAY)
    assert [(line.quantity, line.event_count, line.amount_text) for line in invoice.lines.all()] == [
        (1_000_000, 2, "2.50"),
        (100_000, 2, "1.00"),
    ]
    assert invoice.total_text == "3.50"


def test_refuses_a_second_time(draft: Invoice) -> None:
    finalize_invoice(invoice=draft, now=FEBRUARY + DAY)
    with nothing_changes_in("acme"), pytest.raises(Refused) as refused:
        finalize_invoice(invoice=draft, now=FEBRUARY + 2 * DAY)
    assert refused.value.code == "not_a_draft"


def test_the_job_waits_for_the_end_of_the_grace_period(draft: Invoice) -> None:
    with nothing_changes_in("acme"):
        assert finalize_due_invoices(FEBRUARY + DAY - timedelta(microseconds=1)) == 0
    assert finalize_due_invoices(FEBRUARY + DAY) == 1
    with nothing_changes_in("acme"):
        assert finalize_due_invoices(FEBRUARY + 3 * DAY) == 0


def test_refuses_to_pass_an_earlier_draft_of_the_subscription(draft: Invoice) -> None:
    march = datetime(2026, 3, 1, tzinfo=UTC)
    close_due_periods(march)
    second = Invoice.objects.get(period_start=draft.period_end)
    with nothing_changes_in("acme"), pytest.raises(Refused) as refused:
        finalize_invoice(invoice=second, now=march)
    assert refused.value.code == "earlier_draft"
    finalize_invoice(invoice=draft, now=march)
    assert finalize_invoice(invoice=second, now=march).number == "ACME-2026-000002"


def test_a_rollback_gives_the_number_back(draft: Invoice) -> None:
    with rolled_back():
        assert finalize_invoice(invoice=draft, now=FEBRUARY + DAY).number == "ACME-2026-000001"
    draft.refresh_from_db()
    assert (draft.status, draft.number) == ("draft", None)
    assert finalize_invoice(invoice=draft, now=FEBRUARY + DAY).number == "ACME-2026-000001"


def test_each_year_counts_from_one(in_acme: Tenant) -> None:
    version = make_plan("base", [flat("1")])
    for name in ("a", "b"):
        make_subscription(make_customer(name), version, started_at=datetime(2025, 11, 1, tzinfo=UTC))
    for at in (datetime(2025, 12, 31, tzinfo=UTC), datetime(2026, 1, 31, tzinfo=UTC)):
        close_due_periods(at)
        finalize_due_invoices(at + timedelta(hours=24))
    numbers = Invoice.objects.order_by("id").values_list("number", flat=True)
    assert list(numbers) == [
        "ACME-2026-000001", "ACME-2026-000002", "ACME-2026-000003", "ACME-2026-000004",
    ]  # fmt: skip


def test_the_year_of_a_number_is_that_of_the_entity_s_calendar(in_acme: Tenant) -> None:
    """In Berlin 2027 began an hour before midnight UTC: that is the year in whose books the invoice stands."""
    LegalEntity.objects.update(time_zone="Europe/Berlin")
    BillingSettings.objects.update(draft_grace_hours=0)
    customer = make_customer(time_zone="Europe/Berlin")
    make_subscription(
        customer, make_plan("base", [flat("1")]), started_at=datetime(2026, 11, 30, 23, tzinfo=UTC)
    )
    new_year = datetime(2026, 12, 31, 23, tzinfo=UTC)
    close_due_periods(new_year)
    finalize_due_invoices(new_year)
    invoice = Invoice.objects.get()
    assert (invoice.number, invoice.due_on) == ("ACME-2027-000001", date(2027, 1, 15))


def test_tenants_count_apart(draft: Invoice, globex: Tenant) -> None:
    with nothing_changes_in("globex"):
        finalize_invoice(invoice=draft, now=FEBRUARY + DAY)
    assert InvoiceSeries.objects.get().last_number == 1


@pytest.mark.parametrize(
    ("reference", "code"), [("inv_nothing", "invoice_not_found"), ("ACME-2026-000009", "invoice_not_found")]
)
def test_the_api_answers_404_for_what_is_not_there(
    in_acme: Tenant, acme_api: Api, reference: str, code: str
) -> None:
    for response in (
        acme_api.get(f"/invoices/{reference}"),
        acme_api.post(f"/invoices/{reference}/finalize"),
    ):
        assert (response.status_code, response.json()["code"]) == (404, code)


def test_the_api_answers_409_for_a_second_time(draft: Invoice, acme_api: Api) -> None:
    assert acme_api.post(f"/invoices/{draft.public_id}/finalize").status_code == 200
    response = acme_api.post(f"/invoices/{draft.public_id}/finalize")
    assert (response.status_code, response.json()["code"]) == (409, "not_a_draft")
