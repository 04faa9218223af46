"""Negotiated prices: a version of a plan for one customer, made as a copy and never as an edit."""

from django.db import transaction

from apps.audit.services.record import record
from apps.catalog.models import PlanVersion
from apps.catalog.services.versions import duplicate_version
from apps.customers.models import Customer
from apps.subscriptions.models import NegotiatedVersion


@transaction.atomic
def negotiate_version(*, customer: Customer, version: PlanVersion) -> PlanVersion:
    """Draft a copy of `version` for `customer`; it is edited and published like any other draft."""
    copy = duplicate_version(version=version, is_negotiated=True)
    NegotiatedVersion.objects.create(customer=customer, plan_version=copy)
    record(action="plan_version.negotiated", target=copy, changes={"customer": customer.public_id})
    return copy


def forget_negotiation(version: PlanVersion) -> None:
    """A draft is thrown away: nobody negotiates it any more."""
    NegotiatedVersion.objects.filter(plan_version=version).delete()
