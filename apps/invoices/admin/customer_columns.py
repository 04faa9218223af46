"""A customer's invoice terms as columns of the file of customers.

An empty cell leaves a term to the legal entity; a column that is not in the file leaves the term as it is. Who may
not change terms on a customer's page may not by a file.
"""

from typing import Any

from django.core.exceptions import ValidationError
from import_export import fields, widgets

from apps.customers.admin.resource import COLUMNS, CustomerResource, use_resource
from apps.customers.models import Customer
from apps.invoices.models import CustomerTerms, LegalEntity
from apps.invoices.services import entities

MAY_CHANGE_TERMS = "invoices.change_customerterms"
# Columns and what they are called in the terms.
TERMS = {
    "legal_entity": "legal_entity",
    "payment_due_days": "payment_due_days",
    "purchase_order_number": "purchase_order_number",
    "invoice_memo": "memo",
}


class EntityWidget(widgets.Widget):
    """By its number prefix, which people know from the invoices. The entities are read once for a file."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[str, LegalEntity] | None = None

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> LegalEntity | None:
        if not value:
            return None
        if self.known is None:
            self.known = {one.number_prefix: one for one in LegalEntity.objects.order_by("number_prefix")}
        if value not in self.known:
            raise ValueError(
                f"legal_entity: there is none with the number prefix {value}; write {' or '.join(self.known)},"
                " or leave it empty."
            )
        return self.known[value]

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return value.number_prefix if value else ""


class DaysWidget(widgets.Widget):
    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> int | None:
        if not value:
            return None
        if not (value.isascii() and value.isdecimal()) or len(value) > 4:
            raise ValueError("payment_due_days: write a whole number of days, or leave it empty.")
        return int(value)

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return "" if value is None else str(value)


class CustomerWithTermsResource(CustomerResource):
    legal_entity = fields.Field(
        column_name="legal_entity", attribute="terms__legal_entity", widget=EntityWidget()
    )
    payment_due_days = fields.Field(
        column_name="payment_due_days", attribute="terms__payment_due_days", widget=DaysWidget()
    )
    purchase_order_number = fields.Field(
        column_name="purchase_order_number", attribute="terms__purchase_order_number"
    )
    invoice_memo = fields.Field(column_name="invoice_memo", attribute="terms__memo")

    class Meta(CustomerResource.Meta):
        fields = export_order = (*COLUMNS, *TERMS)

    def get_queryset(self) -> Any:
        return super().get_queryset().select_related("terms__legal_entity")

    def export(self, queryset: Any = None, **kwargs: Any) -> Any:
        found = self.get_queryset() if queryset is None else queryset.select_related("terms__legal_entity")
        return super().export(queryset=found, **kwargs)

    def before_import(self, dataset: Any, **kwargs: Any) -> None:
        super().before_import(dataset, **kwargs)
        found = [name for name in TERMS if name in (dataset.headers or [])]
        user = kwargs.get("user")
        if found and user is not None and not user.has_perm(MAY_CHANGE_TERMS):
            raise ValueError(
                f"Your role may not change invoice terms; leave out the columns {', '.join(found)}."
            )

    def get_or_init_instance(self, instance_loader: Any, row: Any) -> tuple[Customer, bool]:
        customer, is_new = super().get_or_init_instance(instance_loader, row)
        if not hasattr(customer, "terms"):
            # Not stored unless the row says something.
            customer.terms = CustomerTerms(customer=customer)
        return customer, is_new

    def validate_instance(self, instance: Customer, *args: Any, **kwargs: Any) -> None:
        super().validate_instance(instance, *args, **kwargs)
        try:
            instance.terms.clean_fields(exclude=["customer"])
        except ValidationError as error:
            names = {name: column for column, name in TERMS.items()}
            raise ValidationError(
                {names[name]: messages for name, messages in error.message_dict.items()}
            ) from error

    def do_instance_save(self, instance: Customer, is_create: bool) -> None:
        terms = {name: getattr(instance.terms, name) for name in TERMS.values()}
        super().do_instance_save(instance, is_create)
        entities.change_terms(customer=instance, **terms)


use_resource(CustomerWithTermsResource)
