"""Pages of billing with many rows ask the database as often as with few."""

from collections.abc import Callable
from datetime import timedelta

from apps.core import clock
from apps.invoices.models import BillingRun, Invoice, InvoiceLine, ParkedSubscription, ParkReason
from apps.invoices.services.close_periods import close_due_periods
from apps.subscriptions.models import Subscription
from tests.admin.business import Business
from tests.admin.test_pages import page
from tests.admin.test_query_counts import queries_of  # noqa: F401
from tests.harness.clients import Staff
from tests.harness.factories import flat, make_customer, make_meter, make_plan, make_subscription, per_unit

MANY = 60


def subscribe_often(business: Business, code: str, count: int) -> list[Subscription]:
    """So many subscriptions of the one customer, each to a plan and meter of its own, with a draft for last month."""
    start = business.draft.period_start
    made = []
    for number in range(count):
        meter = make_meter(f"{code}_{number}", event_name="unit.used")
        version = make_plan(f"{code}-{number}", [flat("5"), per_unit(meter.code, "0.01")])
        made.append(make_subscription(business.customer, version, started_at=start))
    close_due_periods(clock.now())
    # How near each is to its threshold is told as well.
    Subscription.objects.filter(customer=business.customer).update(billing_threshold=500)
    return made


def park_all(subscriptions: list[Subscription]) -> None:
    """Their drafts by a brake, and they themselves."""
    now = clock.now()
    drafts = list(Invoice.objects.filter(subscription__in=subscriptions, status="draft"))
    Invoice.objects.filter(pk__in=[one.pk for one in drafts]).update(parked_at=now)
    ParkReason.objects.bulk_create(
        ParkReason(invoice=one, brake=brake, words="Look at it.", measure=1, found_at=now)
        for one in drafts
        for brake in ("many_lines", "unpriced")
    )
    run = BillingRun.objects.latest("id")
    ParkedSubscription.objects.bulk_create(
        ParkedSubscription(
            subscription=one, run=run, kind="cycle", period_start=now, period_end=now + timedelta(days=1),
            code="too_large", message="Too large.", parked_at=now,
        )
        for one in subscriptions
    )  # fmt: skip


def lengthen(invoice: Invoice, to: int) -> None:
    [price] = make_plan("long", [flat("1", "long")]).prices.all()
    InvoiceLine.objects.bulk_create(
        InvoiceLine(
            invoice=invoice, position=number, kind="flat", price=price, description=f"Line {number}",
            period_start=invoice.period_start + timedelta(seconds=number), period_end=invoice.period_end,
            unrounded_amount=1, amount=1,
        )
        for number in range(invoice.lines.count(), to)
    )  # fmt: skip


def test_pages_of_billing_cost_the_same_with_many_rows(
    business: Business,
    queries_of: Callable[[str], int],  # noqa: F811
) -> None:
    [first, second] = subscribe_often(business, "few", 2)
    park_all([first, second])
    run = BillingRun.objects.latest("id")
    pages = [
        page("customers.customer", "change", business.customer.pk),
        page("customers.customer", "changelist"),
        page("subscriptions.subscription", "changelist"),
        page("subscriptions.subscription", "change", first.pk),
        page("invoices.invoice", "changelist"),
        page("invoices.invoice", "change", business.draft.pk),
        page("invoices.invoice", "parked"),
        page("invoices.parkedsubscription", "changelist"),
        page("invoices.billingrun", "changelist"),
        page("invoices.billingrun", "change", run.pk),
    ]
    few = {path: queries_of(path) for path in pages}
    many = subscribe_often(business, "many", MANY)
    park_all(many)
    # What the run's page tells of; the rows are of other runs as well.
    ParkedSubscription.objects.update(run=run)
    lengthen(business.draft, 200)
    for index in range(20):
        make_subscription(
            make_customer(f"c{index}"), first.plan_version, started_at=business.draft.period_start
        )
        close_due_periods(clock.now())
    assert Invoice.objects.count() > MANY
    assert {path: queries_of(path) for path in pages} == few


def test_a_customer_with_many_subscriptions_is_told_where_the_others_are(
    business: Business, olga: Staff
) -> None:
    subscribe_often(business, "many", 9)
    content = olga.get(page("customers.customer", "change", business.customer.pk)).content.decode()
    assert "All subscriptions" in content
    assert "4 more subscriptions" in content
