"""On the customer's page: the latest events. On an event's page: what became of it. In the sidebar: quarantine."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from apps.catalog.admin.meter_words import measures_text
from apps.catalog.models import Meter
from apps.core.admin.display import instant_text
from apps.core.admin.registry import COUNTED_AT_MOST, Panel, register_count, register_panel
from apps.core.admin_sites import tenant_site
from apps.core.api.parsers import decode_json
from apps.customers.models import Customer
from apps.usage.admin.raw_event import raw_json
from apps.usage.admin.usage_event import shown
from apps.usage.admin.why_not import why_not
from apps.usage.models import DimensionSet, QuarantinedEvent, UsageCorrection, UsageEvent
from apps.usage.selectors import key_of, latest_events
from apps.usage.selectors.event_story import ReadingOf, Revision, readings_of, revisions_of

SHOWN = 6
CHANGE_EVENT = "admin:usage_usageevent_change"


def events_of(request: HttpRequest, customer: Customer) -> dict[str, Any]:
    events = list(latest_events(customer.pk)[:SHOWN])
    return {
        "events": [{"record": one, "url": reverse(CHANGE_EVENT, args=[key_of(one)])} for one in events],
        "customer": customer,
    }


def readings_panel(request: HttpRequest, event: UsageEvent) -> dict[str, Any]:
    """What each meter read off it, marked where it doesn't count, and why the other meters of its name did not."""
    readings = readings_of(event)
    read_by = {one.meter_id for one in readings}
    meters = {
        meter.pk: meter
        for meter in Meter.objects.filter(pk__in=read_by) | Meter.objects.filter(event_name=event.event_name)
    }
    sets = DimensionSet.objects.in_bulk({one.dimension_set_id for one in readings})
    properties = decode_json(event.properties_text.encode())
    return {
        "is_voided": getattr(event, "is_voided", False),
        "readings": [
            reading_row(one, meters.get(one.meter_id), sets.get(one.dimension_set_id)) for one in readings
        ],
        "others": [
            {"meter": meter, "measures": measures_text(meter), "why": why_not(meter, event, properties)}
            for pk, meter in sorted(meters.items())
            if pk not in read_by
        ],
    }


def reading_row(one: ReadingOf, meter: Meter | None, dimensions: DimensionSet | None) -> dict[str, Any]:
    is_named = meter is not None and meter.aggregation != Meter.Aggregation.UNIQUE_COUNT
    return {
        "meter": meter,
        "measures": measures_text(meter) if meter else "",
        "value": shown(one.value),
        "unit": meter.unit if meter and is_named else "",
        "dimensions": dimensions.values if dimensions else {},
        "badges": badges_of(one, meter),
    }


def badges_of(one: ReadingOf, meter: Meter | None) -> list[dict[str, str]]:
    found = []
    if one.is_backfilled:
        found.append({"text": "Backfilled", "tone": "info", "why": "The meter is younger than the event."})
    if one.is_discarded:
        found.append(
            {
                "text": "Counts no more",
                "tone": "danger",
                "why": "The meter's definition was changed after this was read.",
            }
        )
    if meter is not None and meter.is_draft:
        found.append(
            {"text": "Draft", "tone": "warning", "why": "The meter is a draft: it is watched, not billed."}
        )
    if meter is not None and meter.archived_at is not None:
        found.append({"text": "Archived", "tone": "default", "why": "The meter reads no new events."})
    return found


def revisions_panel(request: HttpRequest, event: UsageEvent) -> dict[str, Any] | None:
    """What was taken back or amended, by whom and why. Left out for events that nobody has touched."""
    revisions = revisions_of(event)
    if len(revisions) == 1 and revisions[0].voided_by is None:
        return None
    may_see = request.user.has_perm("usage.view_usagecorrection")
    return {"revisions": [revision_row(one, may_see) for one in reversed(revisions)]}


def revision_row(one: Revision, may_see: bool) -> dict[str, Any]:
    return {
        "name": f"Revision {one.number}" if one.number else "As it was sent",
        "time": instant_text(one.timestamp),
        "url": "" if one.is_this else reverse(CHANGE_EVENT, args=[one.key.hex]),
        "is_this": one.is_this,
        "is_counted": one.voided_by is None,
        "acts": [
            act_of(correction, words, may_see)
            for correction, words in ((one.made_by, "Came in by"), (one.voided_by, "Counts no more by"))
            if correction is not None
        ],
    }


def act_of(correction: UsageCorrection, words: str, may_see: bool) -> dict[str, Any]:
    return {
        "words": words,
        "id": correction.public_id,
        "url": correction_url(correction) if may_see else "",
        "actor": correction.actor or correction.actor_kind,
        "at": instant_text(correction.created_at),
        "reason": correction.reason,
    }


def correction_url(correction: UsageCorrection) -> str:
    if not tenant_site.is_registered(UsageCorrection):
        return ""
    return reverse("admin:usage_usagecorrection_change", args=[correction.pk])


def raw_panel(request: HttpRequest, event: UsageEvent) -> dict[str, Any]:
    return {
        "raw": raw_json(event),
        "title": "As it was amended" if event.shape.revision else "As it was sent",
    }


def waiting() -> int:
    return QuarantinedEvent.objects.filter(status=QuarantinedEvent.Status.WAITING)[
        : COUNTED_AT_MOST + 1
    ].count()


register_panel(
    "customers.customer",
    Panel(40, "admin/usage/usageevent/of_customer.html", "usage.view_usageevent", events_of),
)
register_panel(
    "usage.usageevent",
    Panel(
        5,
        "admin/usage/usageevent/revisions.html",
        "usage.view_usageevent",
        revisions_panel,
        is_wide=True,
    ),
)
register_panel(
    "usage.usageevent",
    Panel(10, "admin/usage/usageevent/readings.html", "usage.view_usageevent", readings_panel, is_wide=True),
)
register_panel(
    "usage.usageevent",
    Panel(30, "admin/usage/usageevent/raw.html", "usage.view_usageevent", raw_panel, is_wide=True),
)
register_count("quarantine", waiting)
