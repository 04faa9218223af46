"""Legal entities and the terms of customers: who issues, on which conditions."""

from typing import Any

from django.db import IntegrityError, transaction

from apps.audit.services.record import record
from apps.core.errors import Refused
from apps.customers.models import Customer
from apps.invoices.models import CustomerTerms, LegalEntity
from apps.invoices.parties import default_entity, has_numbers, terms_of


@transaction.atomic
def create_entity(*, name: str, number_prefix: str, **fields: Any) -> LegalEntity:
    """One more that can issue invoices; not the default. Raises `Refused` prefix_taken."""
    entity = LegalEntity(name=name, number_prefix=number_prefix, **fields)
    save_with_own_prefix(entity)
    record(action="legal_entity.created", target=entity)
    return entity


@transaction.atomic
def change_entity(*, entity: LegalEntity, **fields: Any) -> LegalEntity:
    """Change what is given and leave the rest; drafts follow, issued invoices stay as they are.

    Raises `Refused` prefix_fixed once a number was taken, since another prefix would begin behind a gap, and
    prefix_taken.
    """
    held = LegalEntity.objects.select_for_update().get(pk=entity.pk)
    changes = {
        name: [str(getattr(held, name)), str(value)]
        for name, value in fields.items()
        if getattr(held, name) != value
    }
    if not changes:
        return held
    if "number_prefix" in changes and has_numbers(held):
        raise Refused(
            "prefix_fixed",
            f"Invoices are numbered with {held.number_prefix}, so it stays; create another entity for a new prefix.",
            param="/number_prefix",
        )
    for name in changes:
        setattr(held, name, fields[name])
    save_with_own_prefix(held)
    record(action="legal_entity.changed", target=held, changes=changes)
    return held


def save_with_own_prefix(entity: LegalEntity) -> None:
    """The unique constraint decides, so that of two callers one wins."""
    try:
        with transaction.atomic():
            entity.save()
    except IntegrityError as error:
        others = LegalEntity.objects.exclude(pk=entity.pk)
        if not others.filter(number_prefix=entity.number_prefix).exists():
            raise
        raise Refused(
            "prefix_taken",
            f"Another entity numbers its invoices with {entity.number_prefix}; take a prefix of its own.",
            param="/number_prefix",
        ) from error


@transaction.atomic
def make_default(*, entity: LegalEntity) -> LegalEntity:
    """From now on it issues the invoices of customers that name no other entity. Drafts follow, issued ones don't."""
    rows = {one.pk: one for one in LegalEntity.objects.select_for_update().order_by("pk")}
    former = default_entity()
    if former.pk == entity.pk:
        return former
    # The unique index is checked row by row: the former gives way first.
    LegalEntity.objects.filter(pk=former.pk).update(is_default=False)
    LegalEntity.objects.filter(pk=entity.pk).update(is_default=True)
    found = rows[entity.pk]
    found.is_default = True
    record(action="legal_entity.made_default", target=found, changes={"default": [str(former), str(found)]})
    return found


@transaction.atomic
def change_terms(*, customer: Customer, **fields: Any) -> CustomerTerms:
    """Set a customer's own terms; what is empty is left to the legal entity."""
    Customer.objects.select_for_update().get(pk=customer.pk)
    terms = terms_of(customer)
    changes = {
        name: [str(getattr(terms, name) or ""), str(value or "")]
        for name, value in fields.items()
        if getattr(terms, name) != value
    }
    if changes:
        for name, value in fields.items():
            setattr(terms, name, value)
        terms.save()
        record(action="invoice_terms.changed", target=customer, changes=changes)
    return terms
