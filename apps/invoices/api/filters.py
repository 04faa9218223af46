"""What invoices can be listed by."""

import django_filters

from apps.customers.api.filters import CustomerReferenceFilter
from apps.invoices.models import Invoice


class InvoiceFilter(django_filters.FilterSet):
    customer = CustomerReferenceFilter(label="The customer's id or external id.")

    parked = django_filters.BooleanFilter(
        "parked_at", "isnull", exclude=True, label="Drafts that a brake holds."
    )
    legal_entity = django_filters.CharFilter("legal_entity__public_id", label="The entity's id.")

    class Meta:
        model = Invoice
        fields = ["customer", "status", "payment_status", "number"]
