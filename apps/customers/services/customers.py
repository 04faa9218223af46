"""Create and change customers."""

from typing import Any

from django.db import IntegrityError, transaction

from apps.audit.services.record import record
from apps.core import clock
from apps.core.errors import Invalid, Refused
from apps.customers.models import Customer
from apps.customers.selectors import team_billings_ending_after


def create_customer(*, external_id: str, name: str, **fields: Any) -> Customer:
    """Raises `Refused` customer_exists. The unique constraint decides, so that of two callers one wins."""
    customer = Customer(external_id=external_id, name=name, **fields)
    try:
        with transaction.atomic():
            customer.save()
            record(action="customer.created", target=customer)
    except IntegrityError as error:
        if not Customer.objects.filter(external_id=external_id).exists():
            raise
        raise Refused(
            "customer_exists",
            f"There is a customer with external_id {external_id!r} already.",
            param="/external_id",
        ) from error
    return customer


@transaction.atomic
def update_customer(*, customer: Customer, **fields: Any) -> Customer:
    """Change what is given and leave the rest.

    Raises `Invalid` own_parent, and `Refused` billed_to_parent for another parent while the present one pays.
    """
    customer = Customer.objects.select_for_update().get(pk=customer.pk)
    if fields.get("parent") == customer:
        raise Invalid("own_parent", "A customer can't be a team of its own.", param="/parent")
    if "parent" in fields and fields["parent"] != customer.parent:
        refuse_while_billed(customer)
    changes = {
        name: [str(getattr(customer, name)), str(value)]
        for name, value in fields.items()
        if getattr(customer, name) != value
    }
    if changes:
        for name, value in fields.items():
            setattr(customer, name, value)
        customer.save(update_fields=list(fields))
        record(action="customer.changed", target=customer, changes=changes)
    return customer


def refuse_while_billed(team: Customer) -> None:
    """A team that is billed to its parent, now or from a later day on, keeps it."""
    running = team_billings_ending_after(clock.now()).filter(team=team).select_related("payer").first()
    if running is not None:
        raise Refused(
            "billed_to_parent",
            f"{running.payer} pays for {team}; stop billing the team to its parent before it gets another one.",
            param="/parent",
        )
