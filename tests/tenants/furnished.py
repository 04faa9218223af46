"""A tenant with a row of everything, all of it recognisable: what must never be seen elsewhere."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from apps.access.models import Scope
from apps.access.services.api_keys import create_api_key
from apps.catalog.models import Feature, Meter, PlanVersion, PriceBook, Product
from apps.catalog.services import plans, versions
from apps.core.errors import Refused
from apps.customers.models import Customer
from apps.invoices.models import BillingRun, Invoice, LegalEntity, OneOffCharge
from apps.invoices.services.close_periods import close_due_periods
from apps.invoices.services.finalize_invoice import finalize_invoice
from apps.invoices.services.one_off_charges import add_charge
from apps.invoices.services.park_subscription import park
from apps.subscriptions.models import Subscription
from apps.subscriptions.services.add_ons import attach_add_on
from apps.tenants.models import Tenant
from apps.usage.models import UsageBackfill
from apps.usage.services.corrections.amend_event import amend_event
from apps.usage.services.corrections.backfills import open_backfill
from apps.usage.services.corrections.stage_events import stage_events
from apps.usage.services.meter_backfill.request import request_backfill
from tests.harness import cast
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

MARK = "zanzibar"
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Furnished:
    customer: Customer
    meter: Meter
    version: PlanVersion
    subscription: Subscription
    invoice: Invoice
    draft: Invoice
    backfill: UsageBackfill
    entity: LegalEntity
    charge: OneOffCharge
    run_ids: tuple[int, ...]

    @property
    def secrets(self) -> list[str]:
        """Texts that must not stand in any answer to somebody else."""
        return [
            MARK, MARK.title(), MARK.upper(), self.customer.public_id, self.subscription.public_id,
            self.invoice.public_id, self.draft.public_id, str(self.invoice.number), self.backfill.public_id,
            self.entity.public_id, self.charge.public_id,
            cast.OLGA, cast.SAM,
            "ch_live_acme_",
        ]  # fmt: skip


def furnish(tenant: Tenant) -> Furnished:
    """Call it inside the tenant's schema."""
    customer = make_customer(MARK, name=MARK.title(), email=f"{MARK}@example.com", metadata={"note": MARK})
    make_customer(f"{MARK}-team", parent=customer)
    meter = make_meter(f"{MARK}_tokens", value_property="tokens", unit=MARK, dimensions=["model"])
    version = make_plan(
        f"{MARK}-plan", [flat("3.14", name=MARK.title()), per_unit(meter.code, "0.0123", "metered")]
    )
    subscription = make_subscription(customer, version)
    report(
        an_event(f"{MARK}-event", customer=MARK, properties={"tokens": 777, "model": MARK}),
        an_event(f"{MARK}-waiting", customer=f"{MARK}-nobody"),
    )
    LegalEntity.objects.update(name=f"{MARK.title()} Ltd", number_prefix=MARK.upper())
    close_due_periods(FEBRUARY)
    invoice = finalize_invoice(invoice=Invoice.objects.get(), now=FEBRUARY)
    close_due_periods(FEBRUARY + timedelta(days=40))
    Product.objects.create(code=f"{MARK}-product", name=MARK.title())
    Feature.objects.create(code=f"{MARK}-feature", name=MARK.title(), meter=meter)
    PriceBook.objects.create(code=f"{MARK}-book", name=MARK.title(), storefront="web", currency="USD")
    plans.draft_version(plan=version.plan, currency="USD", prices=[flat("1", name=MARK.title())])
    create_api_key(tenant=tenant, name=MARK, scopes=[Scope.EVENTS_WRITE])
    draft = Invoice.objects.get(status="draft")
    furnish_parked(subscription)
    return Furnished(
        customer,
        meter,
        version,
        subscription,
        invoice,
        draft,
        furnish_corrections(customer, meter),
        LegalEntity.objects.get(),
        furnish_charges(subscription),
        tuple(BillingRun.objects.values_list("pk", flat=True)),
    )


def furnish_charges(subscription: Subscription) -> OneOffCharge:
    """An add-on that is attached, and a one-off charge that is still to come."""
    subscription.refresh_from_db()
    cursor = subscription.invoiced_until
    draft = plans.create_plan(
        code=f"{MARK}-add-on",
        name=MARK.title(),
        currency="USD",
        prices=[flat("1", name=MARK.title())],
        kind="add_on",
    )
    add_on = versions.publish_version(version=draft, now=FEBRUARY)
    attach_add_on(
        subscription=subscription, plan_version=add_on, when="date", at=cursor, now=cursor, reason=MARK
    )
    return add_charge(
        subscription=subscription, description=MARK, unit_amount=Decimal(7), reason=MARK, now=cursor
    )


def furnish_parked(subscription: Subscription) -> None:
    subscription.refresh_from_db()
    park(
        subscription=subscription,
        period=subscription.open_period,
        kind=Invoice.Kind.CYCLE,
        error=Refused(MARK, MARK),
        now=FEBRUARY,
        run=BillingRun.objects.last(),
    )


def furnish_corrections(customer: Customer, meter: Meter) -> UsageBackfill:
    """An amended event, an open backfill with an event in it, and one of a meter."""
    changes = {"properties": {"tokens": 778, "model": MARK}}
    amend_event(event_id=f"{MARK}-event", changes=changes, reason=MARK, now=FEBRUARY)
    backfill = open_backfill(
        starts_at=FEBRUARY - timedelta(days=31),
        ends_at=FEBRUARY,
        customer=customer,
        reason=MARK,
        now=FEBRUARY,
    )
    event = an_event(f"{MARK}-staged", customer=MARK, properties={"tokens": 1, "model": MARK})
    stage_events(backfill=backfill, events=[event], now=FEBRUARY)
    request_backfill(meter=meter, reason=MARK, now=FEBRUARY)
    return backfill
