"""The words for organizations and teams: who is billed to whom, what they use, and who has what of a line."""

from datetime import datetime
from typing import Any

from apps.customers.models import Customer, TeamBilling
from apps.invoices.models import Invoice, TeamShare
from apps.rating import plain
from apps.subscriptions.services.team_billing import bill_team_to_parent, stop_billing_team_to_parent
from tests.harness.factories import an_event, make_customer, report
from tests.scenarios.lifecycle.words import at

TIERS = [{"up_to": "100", "unit_amount": "1"}, {"up_to": None, "unit_amount": "0.5"}]


def family(*teams: str, organization: str = "org", **fields: Any) -> Customer:
    """An organization with teams that are not billed to it yet."""
    found = make_customer(organization, **fields)
    for team in teams:
        make_customer(team, parent=found)
    return found


def named(external_id: str) -> Customer:
    return Customer.objects.get(external_id=external_id)


def join(team: str, on: str, *, now: datetime | None = None) -> TeamBilling:
    return bill_team_to_parent(team=named(team), when="date", at=at(on), now=now or at(on))


def leave(team: str, on: str, *, now: datetime | None = None) -> TeamBilling:
    return stop_billing_team_to_parent(team=named(team), when="date", at=at(on), now=now or at(on))


def use(
    customer: str, on: str, event_id: str = "", *, received: str = "2026-12-01", **properties: Any
) -> None:
    """One event, accepted whenever it is."""
    name = event_id or f"{customer}-{on}-{sorted(properties.items())}"
    event = an_event(name, customer=customer, timestamp=at(on).isoformat(), properties=properties)
    [verdict] = report(event, now=at(received))
    assert verdict.status == "accepted", verdict


Row = tuple[str, str, str]


def shares(invoice: Invoice | None = None, *, kind: str = "usage", code: str = "units") -> list[list[Row]]:
    """Of each such line of the latest invoice: who, how much and what it costs."""
    invoice = invoice or Invoice.objects.latest("id")
    lines = invoice.lines.filter(kind=kind, price__code=code)
    return [
        [
            (one.customer.external_id, plain(one.quantity), one.amount_text)
            for one in TeamShare.objects.filter(line=line).select_related("customer", "line__invoice")
        ]
        for line in lines
    ]


def totals(kind: str = "usage") -> list[tuple[str, str]]:
    """Quantity and amount of each such line of the latest invoice."""
    lines = Invoice.objects.latest("id").lines.filter(kind=kind)
    return [(plain(one.quantity), one.amount_text) for one in lines if one.quantity is not None]
