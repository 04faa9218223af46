"""Usage events: facts, read only. The table may hold hundreds of millions of rows, so nothing here counts them."""

from decimal import Decimal, InvalidOperation

from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RangeDateTimeFilter
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from apps.core.admin.base import FactAdmin
from apps.core.admin.display import code, instant_column, pairs, quantity_text
from apps.core.admin_sites import tenant_site
from apps.usage.admin.filters import EventNameFilter, MeterFilter
from apps.usage.identity import event_key
from apps.usage.models import EventKey, UsageEvent


class UsageEventAdmin(FactAdmin):
    list_display = ("timestamp_shown", "event_shown", "customer", "event_id_shown", "counted")
    list_filter = (
        ("customer", AutocompleteSelectFilter),
        EventNameFilter,
        MeterFilter,
        ("timestamp", RangeDateTimeFilter),
    )
    list_select_related = ("customer", "shape")
    search_fields = ("event_id",)
    search_help_text = "Exact event ID, or source and ID as source/ID"
    ordering = ("-timestamp",)
    paginator = InfinitePaginator
    show_full_result_count = False
    list_before_template = "admin/usage/usageevent/period.html"
    fields = (
        ("event_id_shown", "source"),
        ("event_shown", "customer"),
        ("timestamp_shown", "received_at_shown"),
        "properties_shown",
    )

    timestamp_shown = instant_column("timestamp", "Time")
    received_at_shown = instant_column("received_at", "Received")

    @display(description="Event")
    def event_shown(self, event: UsageEvent) -> str:
        return code(event.event_name)

    @display(description="ID")
    def event_id_shown(self, event: UsageEvent) -> str:
        return code(event.event_id)

    @display(description="Counted")
    def counted(self, event: UsageEvent) -> str:
        """In the list: the values alone, by the order of the event's meters."""
        return " · ".join(shown(value) for _, _, value in event.readings)

    @display(description="Properties")
    def properties_shown(self, event: UsageEvent) -> str:
        return pairs(event.properties)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[UsageEvent], search_term: str
    ) -> tuple[QuerySet[UsageEvent], bool]:
        """By the primary key, which is a hash of source and ID: there is no index on either, and none is needed."""
        term = search_term.strip()
        if not term:
            return queryset, False
        cuts = [index for index, letter in enumerate(term) if letter == "/"]
        keys = [event_key(source="", event_id=term)]
        keys += [event_key(source=term[:cut], event_id=term[cut + 1 :]) for cut in cuts]
        places = EventKey.objects.filter(key__in=keys, customer_id__isnull=False)
        found = queryset.none()
        for place in places:
            assert place.customer_id is not None
            found |= queryset.filter(customer_id=place.customer_id, timestamp=place.timestamp)
        return found, False


def shown(value: str) -> str:
    """A number as people read it; what a unique count reads is text and stays as it is."""
    try:
        return quantity_text(Decimal(value))
    except InvalidOperation:
        return value


tenant_site.register(UsageEvent, UsageEventAdmin)
