"""Which prices a customer sees, and why not the others: `version_for`, explained."""

from dataclasses import dataclass

from apps.catalog.models import Plan, PlanVersion
from apps.catalog.selectors import Buyer, LookupRow, lookup_order
from apps.customers.models import Customer
from apps.subscriptions.models import Subscription


@dataclass(frozen=True, slots=True)
class Lookup:
    """Who was looked up as whom, and the candidates in the order in which they are asked."""

    buyer: Buyer
    rows: list[LookupRow]

    @property
    def chosen(self) -> PlanVersion | None:
        return next((row.version for row in self.rows if row.is_chosen), None)


def look_up(*, plan: Plan, buyer: Buyer, customer: Customer | None = None) -> Lookup:
    """The same answer as `version_for`, with every candidate and the reason against it.

    A customer brings a currency, and a country unless the buyer's region says otherwise. Versions negotiated with
    the customer stand before all others. A customer without a subscription may still change currency: when
    nothing is on offer in theirs, any is looked for.
    """
    if customer is None:
        return Lookup(buyer, lookup_order(plan=plan, buyer=buyer))
    buyer = Buyer(buyer.storefront, buyer.region or customer.country, customer.currency)
    rows = lookup_order(plan=plan, buyer=buyer)
    mine = negotiated_versions_of(customer, plan)
    is_free = not Subscription.objects.filter(customer=customer).exists()
    if not mine and is_free and not any(row.is_chosen for row in rows):
        buyer = Buyer(buyer.storefront, buyer.region)
        rows = lookup_order(plan=plan, buyer=buyer)
    if not mine:
        return Lookup(buyer, rows)
    found = [
        LookupRow(version, index == 0, "" if index == 0 else "A newer one was negotiated.")
        for index, version in enumerate(mine)
    ]
    others = [
        LookupRow(
            row.version,
            False,
            "The customer's negotiated prices come first." if row.is_chosen else row.reason,
        )
        for row in rows
    ]
    return Lookup(buyer, found + others)


def negotiated_versions_of(customer: Customer, plan: Plan) -> list[PlanVersion]:
    """Those that are published, the newest first."""
    versions = PlanVersion.objects.filter(
        negotiated_for__customer=customer, plan=plan, status=PlanVersion.Status.PUBLISHED
    )
    return list(versions.select_related("plan", "price_book").order_by("-number"))
