"""Customers in and out as CSV or JSON. An import shows first what it would do, and goes through the services."""

from typing import Any

from django.core.exceptions import ValidationError
from import_export import fields, resources, widgets
from import_export.formats import base_formats

from apps.customers.models import Customer
from apps.customers.services import customers

# XLSX joins when its library is installed.
FORMATS = [
    format_class
    for format_class in (base_formats.CSV, base_formats.XLSX, base_formats.JSON)
    if format_class.is_available()
]
COLUMNS = (
    "external_id",
    "name",
    "email",
    "parent",
    "currency",
    "time_zone",
    "address_line1",
    "address_line2",
    "postal_code",
    "city",
    "region",
    "country",
    "tax_id",
)
# A spreadsheet runs a cell that begins so as a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class CustomerResource(resources.ModelResource):
    parent = fields.Field(
        column_name="parent", attribute="parent", widget=widgets.ForeignKeyWidget(Customer, "external_id")
    )

    class Meta:
        model = Customer
        import_id_fields = ("external_id",)
        fields = COLUMNS
        export_order = COLUMNS
        clean_model_instances = True
        skip_unchanged = True
        report_skipped = True
        use_transactions = True

    def get_queryset(self) -> Any:
        return super().get_queryset().select_related("parent")

    def export_field(self, field: Any, instance: Customer, **kwargs: Any) -> Any:
        value = super().export_field(field, instance, **kwargs)
        return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value

    def do_instance_save(self, instance: Customer, is_create: bool) -> None:
        """Called in the dry run as well, in a transaction that is rolled back."""
        given = {name: getattr(instance, name) for name in COLUMNS}
        if is_create:
            saved = customers.create_customer(**given)
            instance.pk, instance.public_id = saved.pk, saved.public_id
        else:
            refuse_other_currency(instance)
            given.pop("external_id")
            customers.update_customer(customer=instance, **given)


def refuse_other_currency(customer: Customer) -> None:
    """As on the customer's page: what is billed is billed in the currency it was begun with."""
    stored = Customer.objects.values_list("currency", flat=True).get(pk=customer.pk)
    if stored != customer.currency:
        raise ValidationError(
            {"currency": f"A customer's currency stays: write {stored}, or leave the column out."}
        )
