"""Who issues an invoice and who gets it: as it was frozen, or for a draft as it would be issued now."""

from dataclasses import dataclass

from apps.core.errors import Missing
from apps.customers.models import Customer
from apps.invoices.models import CustomerTerms, Invoice, LegalEntity


@dataclass(frozen=True, slots=True)
class Parties:
    """Texts with one line a row."""

    legal_entity: LegalEntity
    seller_name: str
    seller_address: str
    seller_tax_id: str
    customer_name: str
    customer_address: str
    customer_tax_id: str
    payment_due_days: int
    memo: str
    purchase_order_number: str


def default_entity() -> LegalEntity:
    return LegalEntity.objects.get(is_default=True)


def entity_by_id(public_id: str, *, param: str = "") -> LegalEntity:
    """Raises `Missing` legal_entity_not_found."""
    found = LegalEntity.objects.filter(public_id=public_id).first()
    if found is None:
        raise Missing("legal_entity_not_found", f"There is no legal entity {public_id!r}.", param=param)
    return found


def has_numbers(entity: LegalEntity) -> bool:
    """Whether it has given out a number of any year."""
    return entity.series.exists()


def terms_of(customer: Customer) -> CustomerTerms:
    """The customer's own terms, or empty ones that are not stored."""
    found = CustomerTerms.objects.select_related("legal_entity").filter(customer=customer).first()
    return found or CustomerTerms(customer=customer)


def parties_of(invoice: Invoice, customer: Customer) -> Parties:
    """For a draft. What it says itself comes before the customer's terms, and these before the entity's."""
    terms = terms_of(customer)
    entity = terms.legal_entity or default_entity()
    days = terms.payment_due_days
    return Parties(
        legal_entity=entity,
        seller_name=entity.name,
        seller_address=entity.address_text,
        seller_tax_id=entity.tax_ids,
        customer_name=customer.name,
        customer_address="\n".join(customer.address_lines),
        customer_tax_id=customer.tax_id,
        payment_due_days=entity.payment_due_days if days is None else days,
        memo=invoice.memo or terms.memo or entity.memo,
        purchase_order_number=invoice.purchase_order_number or terms.purchase_order_number,
    )
