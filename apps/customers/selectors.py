"""Reads of customers."""

from collections.abc import Collection, Iterable
from datetime import datetime

from django.db.models import Q, QuerySet

from apps.core.errors import Missing
from apps.customers.models import Customer, TeamBilling


def customer_by_reference(reference: str) -> Customer:
    """Find by `cus_…` or by external id. Raises `Missing` customer_not_found."""
    customer = Customer.objects.filter(Q(public_id=reference) | Q(external_id=reference)).first()
    if customer is None:
        raise Missing("customer_not_found", f"There is no customer {reference!r}.")
    return customer


def customer_ids_by_reference(references: Iterable[str]) -> dict[str, int]:
    """Map those of `references` (public or external ids) that exist to their row ids, in one query."""
    wanted = list(references)
    found: dict[str, int] = {}
    rows = Customer.objects.filter(Q(external_id__in=wanted) | Q(public_id__in=wanted))
    for pk, public_id, external_id in rows.values_list("pk", "public_id", "external_id"):
        found[external_id] = pk
        found[public_id] = pk
    return found


def team_billings_of(payer_ids: Collection[int]) -> dict[int, list[TeamBilling]]:
    """Which teams were, are or will be billed to each payer, by the number of the team; one query."""
    found: dict[int, list[TeamBilling]] = {}
    for one in TeamBilling.objects.filter(payer_id__in=payer_ids).order_by("team_id", "starts_at"):
        found.setdefault(one.payer_id, []).append(one)
    return found


def team_billings_ending_after(instant: datetime) -> QuerySet[TeamBilling]:
    """Those that run at the instant or later."""
    return TeamBilling.objects.filter(Q(ends_at__isnull=True) | Q(ends_at__gt=instant))


def team_billing_at(team: Customer, instant: datetime) -> TeamBilling | None:
    """The one that runs then."""
    running = team_billings_ending_after(instant).filter(team=team, starts_at__lte=instant)
    return running.select_related("payer").first()
