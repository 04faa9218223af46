"""Closing and finalizing at once: each period one invoice, each invoice one number, no gap."""

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from threading import Event

import pytest
from django.db import IntegrityError, connection, transaction

from apps.audit.models import AuditEntry
from apps.catalog.models import Price
from apps.catalog.services import versions
from apps.core.errors import Refused
from apps.invoices.models import Invoice, InvoiceLine
from apps.invoices.services.close_periods import close_due_periods, close_period
from apps.invoices.services.finalize_invoice import finalize_due_invoices, finalize_invoice
from apps.subscriptions.models import Subscription
from apps.tenants.models import Tenant
from apps.usage.models import UsageEvent
from tests.concurrency.together import returned, together
from tests.harness.clients import Api
from tests.harness.factories import an_event, flat, make_customer, make_plan, make_subscription, report

NOW = datetime(2026, 5, 2, tzinfo=UTC)


def subscribe_many(count: int) -> None:
    version = make_plan("base", [flat("31")])
    for number in range(count):
        make_subscription(make_customer(f"c{number}"), version)


@pytest.fixture
def subscribed(fresh_database: str, in_acme: Tenant) -> None:
    """Six customers, four months each."""
    subscribe_many(6)


def assert_each_period_is_billed_once() -> None:
    for subscription in Subscription.objects.all():
        invoices = list(subscription.invoices.order_by("id"))
        assert [one.period_start.month for one in invoices] == [1, 2, 3, 4]
        assert [one.period_end for one in invoices][:-1] == [one.period_start for one in invoices][1:]
        assert subscription.invoiced_until == datetime(2026, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize("closers", [2, 4])
def test_closers_share_the_work_and_double_nothing(subscribed: None, acme: Tenant, closers: int) -> None:
    done = returned(together(acme, [partial(close_due_periods, NOW)] * closers))
    # Whoever finds only rows that others hold goes home early; the next tick does the rest.
    assert sum(done) + close_due_periods(NOW) == 24
    assert Invoice.objects.count() == 24
    assert_each_period_is_billed_once()


def test_one_period_closed_by_all_at_once_is_one_invoice(subscribed: None, acme: Tenant) -> None:
    subscription = Subscription.objects.first()
    february = datetime(2026, 2, 1, tzinfo=UTC)
    done = returned(together(acme, [lambda: close_period(subscription_id=subscription.pk, now=february)] * 6))
    assert sorted(done) == [False] * 5 + [True]
    assert subscription.invoices.count() == 1


def test_closers_and_finalizers_at_once(subscribed: None, acme: Tenant) -> None:
    late = NOW + timedelta(days=3)

    def tick() -> int:
        return close_due_periods(NOW) + finalize_due_invoices(late)

    returned(together(acme, [tick] * 4))
    tick()
    assert_each_period_is_billed_once()
    assert set(Invoice.objects.values_list("status", flat=True)) == {"open"}
    numbers = sorted(Invoice.objects.values_list("number", flat=True))
    assert numbers == [f"ACME-2026-{number:06}" for number in range(1, 25)]
    assert AuditEntry.objects.filter(action="invoice.finalized").count() == 24


def test_of_two_who_finalize_at_once_one_is_refused(subscribed: None, acme: Tenant) -> None:
    close_due_periods(datetime(2026, 2, 1, tzinfo=UTC))
    invoice = Invoice.objects.first()
    done = together(acme, [lambda: finalize_invoice(invoice=invoice, now=NOW)] * 4)
    refused = [one for one in done if isinstance(one, Refused)]
    assert [one.code for one in refused] == ["not_a_draft"] * 3
    assert len(done) - len(refused) == 1
    assert AuditEntry.objects.filter(action="invoice.finalized").count() == 1
    invoice.refresh_from_db()
    assert invoice.number == "ACME-2026-000001"


def test_sixteen_on_one_series_with_rollbacks_leave_no_gap(fresh_database: str, in_acme: Tenant) -> None:
    subscribe_many(16)
    close_due_periods(datetime(2026, 2, 1, tzinfo=UTC))

    def finalize(invoice: Invoice, fails: bool) -> None:
        with transaction.atomic():
            finalize_invoice(invoice=invoice, now=NOW)
            if fails:
                raise ConnectionError("after the number was taken")

    invoices = list(Invoice.objects.order_by("id"))
    calls = [partial(finalize, invoice, index % 2 == 1) for index, invoice in enumerate(invoices)]
    done = together(in_acme, calls)
    assert [isinstance(one, ConnectionError) for one in done] == [False, True] * 8
    assert [one for one in done if one is not None and not isinstance(one, ConnectionError)] == []
    numbers = sorted(Invoice.objects.exclude(status="draft").values_list("number", flat=True))
    assert numbers == [f"ACME-2026-{number:06}" for number in range(1, 9)]
    assert finalize_due_invoices(NOW) == 8
    numbers = sorted(Invoice.objects.values_list("number", flat=True))
    assert numbers == [f"ACME-2026-{number:06}" for number in range(1, 17)]


def test_nobody_is_subscribed_twice(fresh_database: str, in_acme: Tenant, acme_api: Api) -> None:
    make_customer()
    make_plan("base", [flat("31")])
    body = {"customer": "chat", "plan": "base", "started_at": "2026-01-01T00:00:00Z"}
    answers = returned(together(in_acme, [lambda: acme_api.post("/subscriptions", body).status_code] * 4))
    assert sorted(answers) == [201, 409, 409, 409]
    assert Subscription.objects.count() == 1


def test_a_price_added_while_its_version_is_published_is_refused(
    fresh_database: str, in_acme: Tenant
) -> None:
    version = make_plan("base", [flat("31")], publish=False)
    is_published, is_adding = Event(), Event()

    def publish() -> None:
        with transaction.atomic():
            versions.publish_version(version=version, now=NOW)
            is_published.set()
            is_adding.wait(10)
            time.sleep(0.2)  # the other one is at the trigger by now, or through it

    def add() -> None:
        is_published.wait(10)
        is_adding.set()
        Price.objects.create(plan_version=version, code="more", name="More", model="flat", flat_amount=1)

    published, added = together(in_acme, [publish, add])
    assert published is None
    assert isinstance(added, IntegrityError)
    assert version.prices.count() == 1


def test_a_line_added_while_its_invoice_is_finalized_is_refused(subscribed: None, acme: Tenant) -> None:
    close_due_periods(datetime(2026, 2, 1, tzinfo=UTC))
    invoice = Invoice.objects.first()
    is_finalized, is_adding = Event(), Event()

    def finalize() -> None:
        with transaction.atomic():
            finalize_invoice(invoice=invoice, now=NOW)
            is_finalized.set()
            is_adding.wait(10)
            time.sleep(0.2)

    def add() -> None:
        line = invoice.lines.first()
        line.pk, line.position, line.kind = None, 9, "usage"
        is_finalized.wait(10)
        is_adding.set()
        line.save(force_insert=True)

    finalized, added = together(acme, [finalize, add])
    assert finalized is None
    assert isinstance(added, IntegrityError)
    assert invoice.lines.count() == 1


def test_a_clock_is_advanced_by_one_at_a_time(
    fresh_database: str, in_sandbox: Tenant, sandbox_api: Api
) -> None:
    make_subscription(make_customer(), make_plan("base", [flat("31")]))
    body = {"to": "2026-06-10T00:00:00Z"}
    answers = returned(
        together(in_sandbox, [lambda: sandbox_api.post("/test_clock/advance", body).status_code] * 3)
    )
    assert set(answers) <= {200, 409}
    assert 200 in answers
    assert [one.period_start.month for one in Invoice.objects.order_by("id")] == [1, 2, 3, 4, 5]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        assert cursor.fetchone() == (0,)


def test_usage_that_arrives_while_its_invoice_is_finalized_is_billed_exactly_once(
    fresh_database: str, in_acme: Tenant
) -> None:
    """Whatever the last look did not see is late, and the next invoice has it."""
    make_subscription()
    february, march = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
    close_due_periods(february)
    invoice = Invoice.objects.get()

    def send(writer: int) -> None:
        for number in range(20):
            report(an_event(f"{writer}-{number}", properties={"input_tokens": 1000}), now=february)

    returned(
        together(
            in_acme,
            [
                *(partial(send, writer) for writer in range(4)),
                lambda: finalize_invoice(invoice=invoice, now=february),
            ],
        )
    )
    close_due_periods(march)
    finalize_due_invoices(march + timedelta(days=1))
    assert UsageEvent.objects.count() == 80
    lines = InvoiceLine.objects.filter(price__code="input_tokens", period_start__lt=february)
    assert sum(line.quantity for line in lines) == 80_000
    assert sum(line.event_count for line in lines) == 80
    assert sum(line.amount for line in lines) == Decimal("0.20")
