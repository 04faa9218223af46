"""Legal entities and the terms of customers: who issues, on which conditions."""

from typing import Any

from django.db import transaction

from apps.audit.services.record import record
from apps.customers.models import Customer
from apps.invoices.models import CustomerTerms, LegalEntity
from apps.invoices.parties import default_entity, terms_of


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
