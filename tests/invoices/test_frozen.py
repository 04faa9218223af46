"""PostgreSQL itself refuses to change what is final: a slip in any code, admin or console can't."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import Model

from apps.audit.models import AuditEntry
from apps.catalog.models import Meter, PlanVersion, Price
from apps.catalog.services import plans
from apps.invoices.models import BillingSettings, Invoice, InvoiceLine
from apps.invoices.services.close_periods import close_due_periods
from apps.invoices.services.finalize_invoice import finalize_invoice
from apps.subscriptions.models import Subscription
from apps.tenants.models import Tenant
from apps.usage.models import UsageEvent
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import an_event, flat, make_subscription, report

FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)


def check_now() -> None:
    """Foreign keys are checked at the commit otherwise, which a test does not reach."""
    execute("SET CONSTRAINTS ALL IMMEDIATE")()


def execute(statement: str) -> Callable[[], None]:
    def run() -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)

    return run


@pytest.fixture
def billed(in_acme: Tenant) -> Subscription:
    """January is billed and final, February a draft, plan version 2 a draft."""
    subscription = make_subscription()
    report(an_event())
    close_due_periods(FEBRUARY)
    finalize_invoice(invoice=Invoice.objects.get(), now=FEBRUARY)
    close_due_periods(FEBRUARY + timedelta(days=40))
    plans.draft_version(plan=subscription.plan_version.plan, currency="USD", prices=[flat("1")])
    subscription.refresh_from_db()
    return subscription


FROZEN_ROWS = {
    "events": UsageEvent.objects.all,
    "audit entries": AuditEntry.objects.all,
    "finalized invoices": lambda: Invoice.objects.exclude(status="draft"),
    "lines of finalized invoices": lambda: InvoiceLine.objects.exclude(invoice__status="draft"),
    "published versions": lambda: PlanVersion.objects.exclude(status="draft"),
    "published prices": lambda: Price.objects.exclude(plan_version__status="draft"),
}


@pytest.mark.parametrize("name", FROZEN_ROWS)
def test_frozen_rows_can_not_be_deleted(billed: Subscription, name: str) -> None:
    rows = FROZEN_ROWS[name]()
    assert rows.exists()
    with nothing_changes_in("acme"), pytest.raises(IntegrityError), transaction.atomic():
        rows._raw_delete(rows.db)


# Columns that may change after all: what becomes of a debt, and what is on offer.
MAY_CHANGE = {
    Invoice: {"status", "status_reason", "status_changed_at", "payment_status", "payment_reference"},
    PlanVersion: {"status"},
}


def columns_of(model: type[Model]) -> list[str]:
    return [
        field.attname
        for field in model._meta.concrete_fields
        if field.attname not in MAY_CHANGE.get(model, set())
    ]


def changed(value: object) -> str:
    """SQL for another value of the column's own type, whatever it is."""
    return {
        "text": "{0} || 'x'",
        "character varying": "'x' || substr(coalesce({0}, ''), 2)",
        "integer": "coalesce({0}, 0) + 1000",
        "smallint": "coalesce({0}, 0) + 1000",
        "bigint": "coalesce({0}, 0) + 1000",
        "numeric": "coalesce({0}, 0) + 1",
        "timestamp with time zone": "coalesce({0}, now()) + interval '1 second'",
        "date": "coalesce({0}, current_date) + 1",
        "jsonb": """'{{"other": 1}}'""",
        "uuid": "gen_random_uuid()",
        "boolean": "not {0}",
        "ARRAY": "{0} || {0}",
    }[str(value)]


def type_of(table: str, column: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT data_type FROM information_schema.columns"
            " WHERE table_schema = 'acme' AND table_name = %s AND column_name = %s",
            [table, column],
        )
        [data_type] = cursor.fetchone()
        return str(data_type)


@pytest.mark.parametrize("name", FROZEN_ROWS)
def test_no_column_of_a_frozen_row_can_be_changed(billed: Subscription, name: str) -> None:
    rows = FROZEN_ROWS[name]()
    table, key, pk = rows.model._meta.db_table, rows.model._meta.pk.column, rows.first().pk
    with nothing_changes_in("acme"):
        for column in columns_of(rows.model):
            other = changed(type_of(table, column)).format(f'"{column}"')
            update = execute(f"""UPDATE {table} SET "{column}" = {other} WHERE "{key}" = '{pk}'""")
            with pytest.raises(IntegrityError) as refused, transaction.atomic():
                update()
            # restrict_violation: the trigger said no, not a constraint that happened to be in the way.
            assert refused.value.__cause__.sqlstate == "23001", column


@pytest.mark.parametrize("table", ["usage_usageevent", "audit_auditentry"])
def test_facts_can_not_be_emptied(billed: Subscription, table: str) -> None:
    with nothing_changes_in("acme"), pytest.raises(DatabaseError, match="refused"), transaction.atomic():
        execute(f"TRUNCATE {table}")()


def test_a_finalized_invoice_takes_no_more_lines(billed: Subscription) -> None:
    line = InvoiceLine.objects.exclude(invoice__status="draft").first()
    line.pk, line.position = None, 99
    line.period_start -= timedelta(days=1)
    with nothing_changes_in("acme"), pytest.raises(IntegrityError, match="finalized"), transaction.atomic():
        line.save(force_insert=True)


def test_a_line_can_not_be_moved_onto_a_finalized_invoice(billed: Subscription) -> None:
    final = Invoice.objects.exclude(status="draft").get()
    lines = InvoiceLine.objects.filter(invoice__status="draft")
    assert lines.exists()
    with nothing_changes_in("acme"), pytest.raises(IntegrityError, match="finalized"), transaction.atomic():
        lines.update(invoice=final, position=50)


def test_a_finalized_invoice_never_becomes_a_draft_again(billed: Subscription) -> None:
    with pytest.raises(IntegrityError, match="finalized"), transaction.atomic():
        Invoice.objects.exclude(status="draft").update(status="draft", number=None, finalized_at=None)


def test_what_becomes_of_the_debt_may_change(billed: Subscription) -> None:
    for status in ("uncollectible", "open", "uncollectible", "void"):
        changed = Invoice.objects.exclude(status="draft").update(status=status, status_changed_at=FEBRUARY)
        assert changed == 1


def test_a_draft_may_change(billed: Subscription) -> None:
    assert Invoice.objects.filter(status="draft").update(total=5) == 1
    assert PlanVersion.objects.filter(status="draft").update(currency="EUR") == 1
    assert Price.objects.filter(plan_version__status="draft").update(flat_amount=2) == 1


def test_a_published_version_takes_no_more_prices(billed: Subscription) -> None:
    price = Price(plan_version=billed.plan_version, code="more", name="More", model="flat", flat_amount=1)
    with nothing_changes_in("acme"), pytest.raises(IntegrityError, match="published"), transaction.atomic():
        price.save()


@pytest.mark.parametrize(
    "change",
    [
        {"code": "other"},
        {"event_name": "other"},
        {"aggregation": "count", "value_property": ""},
        {"value_property": "other"},
        {"dimensions": ["model"]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_a_meter_measures_can_not_be_changed(billed: Subscription, change: dict) -> None:
    with nothing_changes_in("acme"), pytest.raises(IntegrityError, match="measures"), transaction.atomic():
        Meter.objects.filter(code="input_tokens").update(**change)


def test_what_a_meter_is_called_may_change(billed: Subscription) -> None:
    assert (
        Meter.objects.filter(code="input_tokens").update(name="Prompt", unit="tok", archived_at=FEBRUARY) == 1
    )


def test_the_cursor_never_goes_back(billed: Subscription) -> None:
    with nothing_changes_in("acme"), pytest.raises(IntegrityError, match="cursor"), transaction.atomic():
        Subscription.objects.update(invoiced_until=billed.invoiced_until - timedelta(microseconds=1))


@pytest.mark.parametrize(
    "make",
    [
        lambda billed: Subscription.objects.update(next_boundary_at=billed.invoiced_until),
        lambda billed: Subscription.objects.update(started_at=billed.invoiced_until + timedelta(days=1)),
        lambda billed: Invoice.objects.filter(status="draft").update(status="open"),
        lambda billed: Invoice.objects.filter(status="draft").update(number="X-1"),
        lambda billed: Invoice.objects.filter(status="draft").update(period_start=datetime(2026, 1, 1, tzinfo=UTC)),
        lambda billed: Invoice.objects.filter(status="draft").update(period_end=FEBRUARY),
        lambda billed: BillingSettings.objects.update(draft_grace_hours=73),
        lambda billed: BillingSettings.objects.create(pk=2),
        lambda billed: Price.objects.filter(plan_version__status="draft").update(flat_amount=-1),
        lambda billed: Price.objects.filter(plan_version__status="draft").update(flat_amount=None),
        lambda billed: Price.objects.filter(plan_version__status="draft").update(unit_amount=1),
        lambda billed: Price.objects.filter(plan_version__status="draft").update(
            model="per_unit", meter=Meter.objects.first(), flat_amount=None
        ),
        lambda billed: PlanVersion.objects.filter(status="draft").update(number=1),
        lambda billed: PlanVersion.objects.filter(status="draft").update(published_at=FEBRUARY),
        lambda billed: type(billed.customer).objects.update(parent=billed.customer),
        lambda billed: type(billed.customer).objects.update(currency="usd"),
        lambda billed: type(billed.customer).objects.update(external_id="cus_x"),
    ],
)  # fmt: skip
def test_a_constraint_refuses(billed: Subscription, make: Callable) -> None:
    with nothing_changes_in("acme"), pytest.raises(IntegrityError), transaction.atomic():
        make(billed)


def test_what_money_refers_to_can_not_be_deleted(billed: Subscription) -> None:
    for rows in (
        type(billed.customer).objects.all(),
        Subscription.objects.all(),
        Meter.objects.filter(code="input_tokens"),
        type(billed.plan_version.plan).objects.all(),
    ):
        check_now()
        with nothing_changes_in("acme"), pytest.raises(IntegrityError), transaction.atomic():
            rows._raw_delete(rows.db)
