"""What invoices can be listed by."""

import django_filters

from apps.customers.api.filters import CustomerReferenceFilter
from apps.invoices.models import Invoice


class InvoiceFilter(django_filters.FilterSet):
    customer = CustomerReferenceFilter(label="The customer's id or external id.")

    class Meta:
        model = Invoice
        fields = ["customer", "status", "number"]
