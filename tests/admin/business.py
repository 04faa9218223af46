"""A tenant in business: customers on a plan, last month billed, a draft to finalize, events that wait."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from apps.catalog.models import Feature, Meter, PlanVersion, PriceBook, Product
from apps.core import clock
from apps.core.periods import month_start
from apps.customers.models import Customer
from apps.invoices.models import BillingRun, Invoice, ParkedSubscription
from apps.invoices.services.close_periods import close_due_periods
from apps.invoices.services.finalize_invoice import finalize_invoice
from apps.invoices.services.one_off_charges import add_charge, withdraw_charge
from apps.subscriptions.models import Subscription
from apps.subscriptions.services.negotiate import negotiate_version
from apps.usage.models import ArchivedPartition, UsageImport
from apps.usage.services.corrections.backfills import open_backfill
from apps.usage.services.corrections.close_backfill import close_backfill
from apps.usage.services.meter_backfill.request import cancel_backfill, request_backfill
from tests.harness.factories import (
    an_event,
    flat,
    make_customer,
    make_meter,
    make_plan,
    make_subscription,
    per_unit,
    report,
)

UTC = ZoneInfo("UTC")


def furnish_parked(subscription: Subscription, now: datetime) -> None:
    """A subscription that could not be billed once, and was released."""
    ParkedSubscription.objects.create(
        subscription=subscription, run=BillingRun.objects.first(), kind="cycle",
        period_start=subscription.invoiced_until, period_end=subscription.next_boundary_at, code="too_large",
        message="An amount is larger than an invoice can hold.", parked_at=now, released_at=now,
        release_reason="Mended",
    )  # fmt: skip


def furnish_charge(subscription: Subscription, now: datetime) -> None:
    """A one-off charge that was a slip, so that it is on no invoice."""
    subscription.refresh_from_db()
    slip = add_charge(
        subscription=subscription, description="Slip", unit_amount=Decimal(1), reason="Slip", now=now
    )
    withdraw_charge(charge=slip, reason="Slip", now=now)


@dataclass(frozen=True)
class Business:
    """`open_invoice` is for the month before last, `draft` for last month; usage of this month is not billed."""

    customer: Customer
    subscription: Subscription
    open_invoice: Invoice
    draft: Invoice
    this_month: datetime


def furnish_catalog(customer: Customer, version: PlanVersion) -> None:
    """One of everything that a catalog may hold beside plans and meters; the negotiated version is a draft."""
    Product.objects.create(code="assistant", name="Assistant")
    Feature.objects.create(code="chat", name="Chat", meter=Meter.objects.get(code="input_tokens"))
    PriceBook.objects.create(code="europe", name="Europe", region="EU", currency="EUR")
    negotiate_version(customer=customer, version=version)


def furnish_files(now: datetime) -> None:
    """A month that was archived long ago, and an import that came to its end."""
    ArchivedPartition.objects.create(
        partition="usage_usageevent_202001", starts_at=datetime(2020, 1, 1, tzinfo=UTC),
        ends_at=datetime(2020, 2, 1, tzinfo=UTC), format="parquet", file_name="usage_usageevent_202001.parquet",
        row_count=12, byte_size=3456, sha256="0" * 64, archived_at=now,
    )  # fmt: skip
    UsageImport.objects.create(
        file_name="january.csv", format="csv", sha256="1" * 64, byte_size=120, status="done", position=3,
        accepted=2, rejected=1, created_at=now, started_at=now, finished_at=now,
    )  # fmt: skip


def furnish_corrections(now: datetime) -> None:
    """An empty backfill of a year without usage, closed, and one of a meter that was called off."""
    backfill = open_backfill(
        starts_at=datetime(2021, 1, 1, tzinfo=UTC),
        ends_at=datetime(2022, 1, 1, tzinfo=UTC),
        reason="Lost",
        now=now,
    )
    close_backfill(backfill=backfill, now=now)
    asked = request_backfill(
        meter=Meter.objects.get(code="input_tokens"), starts_at=datetime(2021, 1, 1, tzinfo=UTC), now=now
    )
    cancel_backfill(backfill=asked, now=now)


def start_business(external_id: str = "chat") -> Business:
    """Inside a tenant's schema. Each month has one call of 1,000,000 input and 100,000 output tokens."""
    now = clock.now()
    months = [month_start(now, UTC, offset) for offset in (-2, -1, 0)]
    for meter in ("input_tokens", "output_tokens"):
        make_meter(meter)
    version = make_plan(
        prices=[flat("49.00"), per_unit("input_tokens", "0.0000025"), per_unit("output_tokens", "0.00001")]
    )
    customer = make_customer(external_id, name="Chat Assistant")
    furnish_catalog(customer, version)
    subscription = make_subscription(customer, version, started_at=months[0])
    calls = [
        an_event(
            f"call-{index}",
            customer=external_id,
            timestamp=(start + timedelta(hours=1) if start < months[2] else now).isoformat(),
            properties={"input_tokens": 1_000_000, "output_tokens": 100_000, "model": "gpt-5"},
        )
        for index, start in enumerate(months)
    ]
    report(*calls, now=now)
    report(
        an_event("lost-1", customer="nobody-yet", timestamp=now.isoformat()),
        an_event("lost-2", customer="nobody-yet", timestamp=now.isoformat()),
        an_event("odd-1", customer=external_id, event="image.render", timestamp=now.isoformat()),
    )
    furnish_files(now)
    furnish_corrections(now)
    assert close_due_periods(now) == 2
    furnish_parked(subscription, now)
    furnish_charge(subscription, now)
    older, newer = Invoice.objects.order_by("period_start")
    return Business(
        customer=customer,
        subscription=subscription,
        open_invoice=finalize_invoice(invoice=older, now=now),
        draft=newer,
        this_month=months[2],
    )
