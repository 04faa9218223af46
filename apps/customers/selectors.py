"""Reads of customers."""

from collections.abc import Iterable

from django.db.models import Q

from apps.core.errors import Missing
from apps.customers.models import Customer


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
