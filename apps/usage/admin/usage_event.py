"""Usage events: facts, read only. The table may hold hundreds of millions of rows, so nothing here counts them.

An event's page is found by the key of source, id and revision: the id alone is unique for one source only.
"""

from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from apps.core import clock
from apps.core.admin.display import badge, code, instant_column, quantity_text
from apps.core.admin_sites import tenant_site
from apps.usage.admin.corrections_event import EventCorrections
from apps.usage.admin.event_list import EventList, context_of, ids_in
from apps.usage.admin.filters import (
    QUARANTINED,
    REJECTED,
    CustomerFilter,
    EventNameFilter,
    MeterFilter,
    TimeFilter,
    VerdictFilter,
)
from apps.usage.models import UsageEvent, VoidedEvent
from apps.usage.selectors import event_by_key, key_of
from apps.usage.selectors.health import counts_between
from apps.usage.standing import standing_of

KEY_LENGTH = 32
LAGS = ((86_400, "days"), (3_600, "h"), (60, "min"))


class UsageEventAdmin(EventCorrections):
    list_display = ("timestamp_shown", "event_shown", "customer", "event_id_shown", "counted", "verdict")
    list_filter = (
        ("customer", CustomerFilter),
        EventNameFilter,
        MeterFilter,
        VerdictFilter,
        ("timestamp", TimeFilter),
    )
    search_fields = ("event_id",)
    search_help_text = "Exact event ID, or source and ID as source/ID"
    sortable_by = ()
    ordering = ("-timestamp",)
    paginator = InfinitePaginator
    show_full_result_count = False
    list_before_template = "admin/usage/usageevent/period.html"
    # First what it is, then what became of it.
    change_form_outer_before_template = None
    change_form_outer_after_template = "admin/usage/usageevent/panels.html"
    fields = (
        ("verdict", "event_shown", "customer"),
        ("event_id_shown", "source_shown"),
        ("timestamp_shown", "received_at_shown", "lag"),
    )

    timestamp_shown = instant_column("timestamp", "Time")
    received_at_shown = instant_column("received_at", "Received")

    @display(description="Event")
    def event_shown(self, event: UsageEvent) -> str:
        return code(event.event_name)

    @display(description="ID")
    def event_id_shown(self, event: UsageEvent) -> str:
        return code(event.event_id)

    @display(description="Source")
    def source_shown(self, event: UsageEvent) -> str:
        return code(event.source)

    @display(description="Counted")
    def counted(self, event: UsageEvent) -> str:
        """In the list: the values alone, by the order of the event's meters."""
        return " · ".join(shown(value) for _, _, value in event.readings)

    @display(description="Verdict")
    def verdict(self, event: UsageEvent) -> str:
        return verdict_badges(event, is_voided=bool(getattr(event, "is_voided", False)))

    @display(description="Lag")
    def lag(self, event: UsageEvent) -> str:
        return lag_text((event.received_at - event.timestamp).total_seconds())

    # The list

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[EventList]:
        return EventList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[UsageEvent], search_term: str
    ) -> tuple[QuerySet[UsageEvent], bool]:
        """By the key, which is a hash of source and ID (see EventList): there is no index on either."""
        return queryset, False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.GET.get("verdict") == QUARANTINED:
            return HttpResponseRedirect(quarantine_url(request))
        response = super().changelist_view(request, extra_context)
        listed = getattr(response, "context_data", {}).get("cl")
        if isinstance(listed, EventList):
            explorer = context_of(listed)
            if listed.asked.verdict == REJECTED:
                explorer["rejected"] = counts_between(clock.real_now()).rejected
            response.context_data["explorer"] = explorer
        return response

    # One event

    def locator_of(self, record: UsageEvent) -> str:
        return key_of(record)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """By key, else by the id as it was sent, or source/ID: then it is what the id stands for now."""
        found: dict[str, Any] = request.__dict__.setdefault("admin_records", {})
        name = f"{self.opts.label_lower}/{object_id}"
        if name not in found:
            event = event_of(object_id)
            if event is not None:
                key = UUID(hex=key_of(event))
                event.is_voided = VoidedEvent.objects.filter(key=key).exists()  # type: ignore[attr-defined]
            found[name] = event
        return found[name]


def event_of(object_id: str) -> UsageEvent | None:
    if len(object_id) == KEY_LENGTH:
        try:
            event = event_by_key(UUID(hex=object_id))
        except ValueError:
            event = None
        if event is not None:
            return event
    for source, event_id in ids_in(object_id):
        standing = standing_of(event_id=event_id, source=source)
        if standing is not None:
            return standing.event
    return None


def quarantine_url(request: HttpRequest) -> str:
    """The list of those that wait, by the event's name when one was chosen."""
    query = {"status__exact": "waiting"}
    if name := request.GET.get("event_name"):
        query["event_name__exact"] = name
    return f"{reverse('admin:usage_quarantinedevent_changelist')}?{urlencode(query)}"


def verdict_badges(event: UsageEvent, *, is_voided: bool) -> str:
    """A revision counts like any event; what took its place, or nothing did, is voided."""
    badges = badge("Voided", "danger") if is_voided else badge("Counted", "success")
    if event.shape.revision:
        badges = format_html("{} {}", badges, badge(f"Revision {event.shape.revision}", "info"))
    return badges


def lag_text(seconds: float) -> str:
    """How long after its own time it came in: `0.4 s`, `12 min`, `3 h`, `5 days`."""
    if seconds < 0:
        return "its time lies ahead"
    for size, unit in LAGS:
        if seconds >= 2 * size:
            return f"{int(seconds // size):,} {unit}"
    return f"{seconds:.1f} s"


def shown(value: str) -> str:
    """A number as people read it; what a unique count reads is text and stays as it is."""
    try:
        return quantity_text(Decimal(value))
    except InvalidOperation:
        return value


tenant_site.register(UsageEvent, UsageEventAdmin)
