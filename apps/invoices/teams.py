"""Whose usage a customer's subscriptions price: its own, and that of teams for as long as they are billed to it."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db.models import Q

from apps.customers.models import Customer, TeamBilling
from apps.invoices.models import Invoice, InvoiceLine
from apps.rating import exact_sum
from apps.subscriptions.periods import Period
from apps.usage.selectors import Span

if TYPE_CHECKING:
    from apps.invoices.services.lines import ComputedLine


@dataclass(frozen=True, slots=True)
class Families:
    """Team billings by payer and by team, each in the order of time."""

    of_payer: dict[int, list[TeamBilling]] = field(default_factory=dict)
    of_team: dict[int, list[TeamBilling]] = field(default_factory=dict)

    def spans_of(self, customer_id: int, period: Period) -> dict[int, Span]:
        """By customer what of its usage the period takes: the payer first, whose own is all of it, then its teams."""
        found = {customer_id: Span(customer_id, period.start, period.end)}
        cut: dict[int, list[Span]] = {}
        for one in self.of_payer.get(customer_id, []):
            start = max(one.starts_at, period.start)
            end = period.end if one.ends_at is None else min(one.ends_at, period.end)
            if start < end:
                cut.setdefault(one.team_id, []).append(Span(one.team_id, start, end))
        found |= {team_id: united(spans) for team_id, spans in sorted(cut.items())}
        return found

    def span_of(self, customer_id: int, period: Period) -> Span:
        """All of them as one."""
        return united(self.spans_of(customer_id, period).values())

    def payer_of(self, team_id: int, period: Period) -> int | None:
        """Who pays for all the team used in the period; None where nobody does for the whole of it."""
        return next(
            (
                one.payer_id
                for one in self.of_team.get(team_id, [])
                if one.starts_at <= period.start and (one.ends_at is None or period.end <= one.ends_at)
            ),
            None,
        )

    def beside(self, customer_ids: Iterable[int]) -> set[int]:
        """These customers, their teams and their payers."""
        found = set(customer_ids)
        for one in [*found]:
            found |= {billing.team_id for billing in self.of_payer.get(one, [])}
            found |= {billing.payer_id for billing in self.of_team.get(one, [])}
        return found

    def public_id_of(self, team_id: int) -> str:
        return next(one.team.public_id for one in self.of_team[team_id])


def families_of(customer_ids: Collection[int]) -> Families:
    """One query."""
    found = Families()
    rows = TeamBilling.objects.filter(Q(payer_id__in=customer_ids) | Q(team_id__in=customer_ids))
    for one in rows.select_related("team").order_by("team_id", "starts_at"):
        found.of_payer.setdefault(one.payer_id, []).append(one)
        found.of_team.setdefault(one.team_id, []).append(one)
    return found


def united(spans: Iterable[Span]) -> Span:
    """Several as one; a team may come, go and come again within a period."""
    first, *others = (
        one for span in spans for one in (Span(span.customer_id, span.start, span.end), *span.joined)
    )
    return Span(first.customer_id, first.start, first.end, tuple(others))


def billed_together(team_ids: Collection[int], since: datetime, until: datetime) -> set[int]:
    """Who pays for one of these teams at some time in between; one query."""
    rows = TeamBilling.objects.filter(
        Q(ends_at__isnull=True) | Q(ends_at__gt=since), team_id__in=team_ids, starts_at__lt=until
    )
    return set(rows.values_list("payer_id", flat=True))


# Customers by their numbers.
Sharers = Mapping[int, Customer]


def sharers_of(lines: "Iterable[ComputedLine]") -> dict[int, Customer]:
    """Who has a share of computed lines; no query where nobody has."""
    ids = {one.customer_id for line in lines for one in line.shares}
    return Customer.objects.in_bulk(ids) if ids else {}


@dataclass(frozen=True, slots=True)
class TeamTotal:
    """A customer's part of an invoice; the organization's own holds fees too."""

    customer: Customer
    amount: Decimal


def team_totals(invoice: Invoice, lines: Iterable[InvoiceLine]) -> list[TeamTotal]:
    """What each has of the total: the organization first, then its teams; empty where no team is on it.

    The lines bring their shares with their customers, so nothing is asked any more.
    """
    parts: dict[int, list[Decimal]] = {}
    customers: dict[int, Customer] = {}
    for line in lines:
        for share in line.team_shares.all():
            customers[share.customer_id] = share.customer
            if share.customer_id != invoice.customer_id:
                parts.setdefault(share.customer_id, []).append(share.amount)
    if not parts:
        return []
    teams = [TeamTotal(customers[pk], exact_sum(amounts)) for pk, amounts in parts.items()]
    teams.sort(key=lambda one: (one.customer.name, one.customer.pk))
    own = exact_sum([invoice.total, *(one.amount.copy_negate() for one in teams)])
    return [TeamTotal(invoice.customer, own), *teams]
