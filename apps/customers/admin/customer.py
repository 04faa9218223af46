"""Customers. What they are on, owe and use is added to the page by the apps that know."""

from typing import Any

from django.http import HttpRequest
from import_export.admin import ExportActionMixin
from unfold.contrib.filters.admin import DropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelect2Widget

from apps.core.admin.display import NOTHING, code, instant_column
from apps.core.admin.transfer import TransferAdmin
from apps.core.admin_sites import tenant_site
from apps.core.validators import time_zone_choices
from apps.customers.admin.resource import resource_in_use
from apps.customers.models import Customer
from apps.customers.services import customers


class CurrencyFilter(DropdownFilter):
    title = "currency"
    parameter_name = "currency"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        codes = Customer.objects.order_by("currency").values_list("currency", flat=True).distinct()
        return [(currency, currency) for currency in codes]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(currency=self.value()) if self.value() else queryset


class CustomerAdmin(TransferAdmin, ExportActionMixin):
    import_template_name = "admin/customers/customer/import.html"
    is_recorded_by_service = True
    list_display = (
        "name",
        "external_id_shown",
        "email",
        "parent_shown",
        "currency",
        "time_zone",
        "created_at_shown",
    )
    list_filter = (CurrencyFilter,)
    list_select_related = ("parent",)
    search_fields = ("name", "external_id", "email", "=public_id")
    search_help_text = "Name, external ID, email or cus_…"
    autocomplete_fields = ("parent",)
    ordering = ("name", "id")
    fieldsets = (
        (None, {"fields": (("name", "email"), ("external_id", "parent"))}),
        ("Billing", {"fields": (("currency", "time_zone"), "tax_id")}),
        (
            "Address",
            {"fields": (("address_line1", "address_line2"), ("postal_code", "city"), ("region", "country"))},
        ),
        (
            "For integrators",
            {"fields": ("public_id_shown", "metadata", "created_at_shown"), "classes": ("collapse",)},
        ),
    )
    readonly_fields = ("public_id_shown", "created_at_shown")

    created_at_shown = instant_column("created_at", "Created")

    @display(description="External ID", ordering="external_id")
    def external_id_shown(self, customer: Customer) -> str:
        return code(customer.external_id)

    @display(description="ID")
    def public_id_shown(self, customer: Customer) -> str:
        return code(customer.public_id)

    @display(description="Under", ordering="parent__name")
    def parent_shown(self, customer: Customer) -> str:
        return str(customer.parent) if customer.parent else NOTHING

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "time_zone":
            kwargs["widget"] = UnfoldAdminSelect2Widget(choices=time_zone_choices())
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Customer | None = None) -> tuple[str, ...]:
        # Events carry the external ID; those that wait in quarantine would lose their customer.
        return self.readonly_fields if obj is None else (*self.readonly_fields, "external_id", "currency")

    def save_model(self, request: HttpRequest, obj: Customer, form: Any, change: bool) -> None:
        if change:
            fields = {name: form.cleaned_data[name] for name in form.changed_data}
            customers.update_customer(customer=obj, **fields)
        else:
            saved = customers.create_customer(**form.cleaned_data)
            obj.pk, obj.public_id = saved.pk, saved.public_id

    # Import and export

    def get_resource_classes(self, request: HttpRequest) -> Any:
        return (resource_in_use(),)

    def has_import_permission(self, request: HttpRequest) -> bool:
        return self.has_add_permission(request) and self.has_change_permission(request)


tenant_site.register(Customer, CustomerAdmin)
