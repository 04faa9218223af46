"""`?customer=` for lists of what belongs to a customer: its id or its external id, as everywhere."""

from typing import Any

import django_filters
from django.db.models import Q, QuerySet


class CustomerReferenceFilter(django_filters.CharFilter):
    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        if not value:
            return qs
        return qs.filter(Q(customer__public_id=value) | Q(customer__external_id=value))
