"""What the open periods of a customer have come to."""

from datetime import datetime

from apps.customers.models import Customer
from apps.invoices.services.compute import ComputedInvoice, compute_invoices
from apps.invoices.services.cycles import Asked
from apps.subscriptions.selectors import active_subscriptions_of


def upcoming_invoices(*, customer: Customer, as_of: datetime) -> list[ComputedInvoice]:
    """One for each active subscription, in the order in which they were begun; a fixed number of queries.

    Raises what rating raises.
    """
    asked = [Asked(one, one.open_period) for one in active_subscriptions_of(customer)]
    return compute_invoices(asked, as_of=as_of)
