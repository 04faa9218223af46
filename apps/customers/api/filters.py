"""`?customer=` for lists of what belongs to a customer: its id or its external id, as everywhere."""

from typing import Any

import django_filters
from django.db.models import Q, QuerySet


class CustomerReferenceFilter(django_filters.CharFilter):
    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        if not value:
            return qs
        name = self.field_name
        return qs.filter(Q(**{f"{name}__public_id": value}) | Q(**{f"{name}__external_id": value}))
