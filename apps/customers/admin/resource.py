"""Customers in and out as CSV or JSON. An import shows first what it would do, and goes through the services."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from import_export import fields, resources, widgets

from apps.core.admin.transfer import refuse_file
from apps.core.spreadsheets import read_cell, safe
from apps.customers.models import Customer
from apps.customers.services import customers

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


class CustomerResource(resources.ModelResource):
    parent = fields.Field(
        column_name="parent", attribute="parent", widget=widgets.ForeignKeyWidget(Customer, "external_id")
    )

    class Meta:
        model = Customer
        import_id_fields = ("external_id",)
        fields: tuple[str, ...] = COLUMNS
        export_order: tuple[str, ...] = COLUMNS
        clean_model_instances = True
        skip_unchanged = True
        report_skipped = True
        use_transactions = True

    def get_queryset(self) -> Any:
        return super().get_queryset().select_related("parent")

    @classmethod
    def get_display_name(cls) -> str:
        return "Customers"

    def export(self, queryset: QuerySet[Customer] | None = None, **kwargs: Any) -> Any:
        found = self.get_queryset() if queryset is None else queryset
        return super().export(queryset=found.select_related("parent"), **kwargs)

    def export_field(self, field: Any, instance: Customer, **kwargs: Any) -> Any:
        value = super().export_field(field, instance, **kwargs)
        return safe(value) if isinstance(value, str) else value

    def before_import(self, dataset: Any, **kwargs: Any) -> None:
        refuse_file(dataset, needed=("external_id",), known=[one.column_name for one in self.fields.values()])

    def before_import_row(self, row: Any, **kwargs: Any) -> None:
        for name, value in row.items():
            row[name] = read_cell(value)

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


# Apps above put a resource with columns of their own in here when their admin is loaded.
_resource: type[CustomerResource] = CustomerResource


def use_resource(resource: type[CustomerResource]) -> None:
    global _resource  # noqa: PLW0603 - set once, when the admin is loaded
    _resource = resource


def resource_in_use() -> type[CustomerResource]:
    return _resource


def refuse_other_currency(customer: Customer) -> None:
    """As on the customer's page: what is billed is billed in the currency it was begun with."""
    stored = Customer.objects.values_list("currency", flat=True).get(pk=customer.pk)
    if stored != customer.currency:
        raise ValidationError(
            {"currency": f"A customer's currency stays: write {stored}, or leave the column out."}
        )
