"""Who issues an invoice and who gets it: as it was frozen, or for a draft as it would be issued now."""

from dataclasses import dataclass

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
