"""The list of events: what was asked in the address, and one page of what was found. Nothing is counted."""

from datetime import UTC, datetime
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from unfold.views import ChangeList

from apps.usage.admin.filters import QUARANTINED, REJECTED, VERDICTS, TimeFilter
from apps.usage.models import UsageEvent
from apps.usage.selectors import Asked, Found, find_events, key_of, waiting_ids

CUSTOMER = "customer__id__exact"
STARTS, ENDS = "timestamp__gte", "timestamp__lt"
MAX_ID = 1 << 63
# Whoever turns more pages than that is better served by a time.
MAX_PAGES = 100


class EventList(ChangeList):
    """Filters and search are read off the address and answered by a selector; the queryset is never evaluated."""

    found: Found

    def get_queryset(
        self, request: HttpRequest, exclude_parameters: list[str | None] | None = None
    ) -> QuerySet[UsageEvent]:
        queryset: QuerySet[UsageEvent] = super().get_queryset(request, exclude_parameters)
        self.asked = self.read_question(request)
        return queryset

    def read_question(self, request: HttpRequest) -> Asked:
        asked = request.GET
        starts_at, ends_at = instant(asked.get(STARTS)), instant(asked.get(ENDS))
        for spec in self.filter_specs:
            if isinstance(spec, TimeFilter):
                first, last = spec.bounds()
                starts_at, ends_at = starts_at or first, ends_at or last
        verdict = asked.get("verdict", "")
        return Asked(
            customer_id=number(asked.get(CUSTOMER)),
            event_name=asked.get("event_name", ""),
            meter_id=number(asked.get("meter")),
            starts_at=starts_at,
            ends_at=ends_at,
            verdict=verdict if verdict in dict(VERDICTS) else "",
            ids=ids_in(self.query),
        )

    def get_results(self, request: HttpRequest) -> None:
        self.paginator = self.model_admin.get_paginator(request, [], self.list_per_page)
        self.result_count = self.full_result_count = self.paginator.count
        self.show_full_result_count = self.show_admin_actions = False
        self.can_show_all, self.multi_page = False, True
        if not 1 <= self.page_num <= MAX_PAGES:
            self.found = Found([], f"That is more than {MAX_PAGES} pages: choose a time.")
        elif self.asked.verdict in (QUARANTINED, REJECTED):
            self.found = Found([])
        else:
            offset = (self.page_num - 1) * self.list_per_page
            self.found = find_events(self.asked, offset=offset, limit=self.list_per_page)
        self.result_list = self.found.events
        self.waiting_ids = waiting_ids(self.asked) if self.asked.ids and not self.result_list else []
        for event in self.result_list:
            event.is_voided = key_of(event) in self.voided  # type: ignore[attr-defined]

    @property
    def voided(self) -> set[str]:
        return {key.hex for key in self.found.voided}

    def url_for_result(self, result: UsageEvent) -> str:
        return reverse("admin:usage_usageevent_change", args=[key_of(result)])


def ids_in(query: str) -> tuple[tuple[str, str], ...]:
    """The pairs of source and id that somebody may mean who typed `id` or `source/id`."""
    term = query.strip()
    if not term:
        return ()
    cuts = [index for index, letter in enumerate(term) if letter == "/"]
    return (("", term), *((term[:cut], term[cut + 1 :]) for cut in cuts))


def number(text: str | None) -> int | None:
    """Raises `IncorrectLookupParameters`, which leads to the list without filters."""
    if not text:
        return None
    if not text.isdecimal() or int(text) >= MAX_ID:
        raise IncorrectLookupParameters
    return int(text)


def instant(text: str | None) -> datetime | None:
    """The same for a time."""
    if not text:
        return None
    try:
        found = parse_datetime(text.strip())
    except ValueError as error:
        raise IncorrectLookupParameters from error
    if found is None:
        raise IncorrectLookupParameters
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def context_of(listed: Any) -> dict[str, Any]:
    """For the head of the list."""
    asked: Asked = listed.asked
    return {
        "asked": asked,
        "reach": listed.found.reach,
        "is_empty": not listed.result_list,
        "waiting_ids": listed.waiting_ids,
        "is_filtered": asked != Asked(),
    }
