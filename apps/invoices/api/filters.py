"""What invoices and their lines can be listed by."""

import django_filters

from apps.customers.api.filters import CustomerReferenceFilter
from apps.invoices.models import Invoice, InvoiceLine


class InvoiceFilter(django_filters.FilterSet):
    customer = CustomerReferenceFilter(label="The customer's id or external id.")
    subscription = django_filters.CharFilter("subscription__public_id", label="The subscription's id.")
    legal_entity = django_filters.CharFilter("legal_entity__public_id", label="The entity's id.")
    parked = django_filters.BooleanFilter(
        "parked_at", "isnull", exclude=True, label="Drafts that a brake holds."
    )
    period_from = django_filters.IsoDateTimeFilter(
        "period_end", "gt", label="Periods that end after this instant."
    )
    period_until = django_filters.IsoDateTimeFilter(
        "period_start", "lt", label="Periods that begin before this instant."
    )

    class Meta:
        model = Invoice
        fields = ["customer", "subscription", "status", "payment_status", "kind", "number"]


class LineFilter(django_filters.FilterSet):
    price = django_filters.CharFilter("price__code", label="The price's code.")
    meter = django_filters.CharFilter("price__meter__code", label="The meter's code.")

    class Meta:
        model = InvoiceLine
        fields = ["kind"]
