"""What subscriptions can be listed by."""

import django_filters

from apps.customers.api.filters import CustomerReferenceFilter
from apps.subscriptions.models import Subscription


class SubscriptionFilter(django_filters.FilterSet):
    customer = CustomerReferenceFilter(label="The customer's id or external id.")

    class Meta:
        model = Subscription
        fields = ["customer", "status"]
