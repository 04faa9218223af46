"""Quarantine: events that nobody can be billed for yet, why, and how to let them count."""

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesDropdownFilter, FieldTextFilter, RangeDateTimeFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from apps.core import clock
from apps.core.admin.base import FactAdmin
from apps.core.admin.confirmation import Question, ask
from apps.core.admin.display import age_text, badge, code, instant_column, instant_text
from apps.core.admin.registry import facts_for
from apps.core.admin_sites import tenant_site
from apps.usage import tasks
from apps.usage.models import QuarantinedEvent
from apps.usage.selectors.quarantine import COUNTED_AT_MOST, WaitingGroup, tallies, waiting_groups
from apps.usage.services.replay_quarantine import Replayed, replay_quarantine

Reason = QuarantinedEvent.Reason
MAY_REPLAY = "usage.change_quarantinedevent"
# More than that is not done while somebody waits for the page.
AT_ONCE = 5_000
SHOWN = 6
NARROWED_BY = {"reason": "Reason", "customer_reference": "Customer", "event_name": "Event"}
WHAT_TO_DO = {
    Reason.UNKNOWN_CUSTOMER: "No customer has the external ID {customer!r}. Create the customer, then replay.",
    Reason.UNKNOWN_METER: "No meter in use counts events named {event!r}. Create a meter for them, then replay.",
    Reason.MISSING_VALUE: "The meters for {event!r} sum a property that this event does not have. "
    "Create a meter that fits, then replay; or have the app send the property with a new event.",
    Reason.REJECTED: "When it was replayed last, a meter rejected it: {problem} It would be rejected again, unless the "
    "meter is changed; have the app send it right, with a new ID.",
    Reason.EVENTS_ARCHIVED: "The events of its time were archived before it could count. It stays here as it was sent, "
    "and counts no more; what it is worth can be settled with the customer by hand.",
}


class QuarantinedEventAdmin(FactAdmin):
    list_display = (
        "event_id_shown",
        "reason_shown",
        "event_shown",
        "customer_shown",
        "state",
        "age",
        "timestamp_shown",
    )
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("reason", ChoicesDropdownFilter),
        ("customer_reference", FieldTextFilter),
        ("event_name", FieldTextFilter),
        ("received_at", RangeDateTimeFilter),
    )
    search_fields = ("event_id", "customer_reference", "event_name")
    search_help_text = "Event ID, customer or event"
    ordering = ("-received_at", "-id")
    actions = ("replay_selected",)
    actions_list = ("replay_all",)
    show_full_result_count = False
    list_before_template = "admin/usage/quarantinedevent/head.html"
    actions_detail = ("replay",)
    fields = (
        "state", "what_to_do", "event_id_shown", "source", "event_shown", "customer_shown", "timestamp_shown",
        "received_at_shown", "replayed_at_shown", "payload",
    )  # fmt: skip

    timestamp_shown = instant_column("timestamp", "Time")
    received_at_shown = instant_column("received_at", "Received")

    @display(description="Event ID", ordering="event_id")
    def event_id_shown(self, event: QuarantinedEvent) -> str:
        return code(event.event_id)

    @display(description="Reason", ordering="reason")
    def reason_shown(self, event: QuarantinedEvent) -> str:
        return event.get_reason_display()

    @display(description="Event", ordering="event_name")
    def event_shown(self, event: QuarantinedEvent) -> str:
        return code(event.event_name)

    @display(description="Customer", ordering="customer_reference")
    def customer_shown(self, event: QuarantinedEvent) -> str:
        return code(event.customer_reference)

    @display(description="Status", ordering="status")
    def state(self, event: QuarantinedEvent) -> str:
        return badge(event.get_status_display())

    @display(description="Age", ordering="received_at")
    def age(self, event: QuarantinedEvent) -> str:
        return age_text(event.received_at, clock.now())

    @display(description="Replayed")
    def replayed_at_shown(self, event: QuarantinedEvent) -> str:
        return instant_text(event.replayed_at)

    @display(description="Why")
    def what_to_do(self, event: QuarantinedEvent) -> str:
        return WHAT_TO_DO[Reason(event.reason)].format(
            customer=event.customer_reference, event=event.event_name, problem=event.problem
        )

    @display(description="Properties")
    def payload(self, event: QuarantinedEvent) -> str:
        text = json.dumps(event.properties, indent=2, ensure_ascii=False, default=str)
        return format_html('<pre class="ch-pre">{}</pre>', text)

    def get_list_display_links(self, request: HttpRequest, list_display: Any) -> Any:
        return ("event_id_shown",)

    # Replay

    def has_replay_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm(MAY_REPLAY))

    def is_on_offer(self, action: str, record: QuarantinedEvent) -> bool:
        return record.status == QuarantinedEvent.Status.WAITING

    @action(
        description="Replay all that wait",
        icon="replay",
        variant=ActionVariant.PRIMARY,
        permissions=[MAY_REPLAY],
    )
    def replay_all(self, request: HttpRequest) -> HttpResponse:
        """All, or those of a reason, a customer's reference or an event's name, which the address says."""
        asked = {name: request.GET[name] for name in NARROWED_BY if request.GET.get(name)}
        events = QuarantinedEvent.objects.filter(status=QuarantinedEvent.Status.WAITING, **asked)
        groups = [
            group
            for group in waiting_groups()
            if all(getattr(group, name) == value for name, value in asked.items())
        ]
        return self.ask_to_replay(request, events, facts=facts_of(groups, asked))

    @action(description="Replay", icon="replay", variant=ActionVariant.PRIMARY, permissions=[MAY_REPLAY])
    def replay(self, request: HttpRequest, object_id: str) -> HttpResponse:
        event = self.record_of(request, object_id)
        return self.ask_to_replay(request, QuarantinedEvent.objects.filter(pk=event.pk), record=event)

    @action(description="Replay selected events", permissions=["replay"])
    def replay_selected(self, request: HttpRequest, queryset: QuerySet[QuarantinedEvent]) -> HttpResponse:
        """Selected, or all that match the filters when "select all" was chosen."""
        names = ("action", "_selected_action", "select_across", "index")
        hidden = [(name, value) for name in names for value in request.POST.getlist(name)]
        return self.ask_to_replay(request, queryset, hidden=hidden, is_answered="confirmed" in request.POST)

    def ask_to_replay(
        self,
        request: HttpRequest,
        events: QuerySet[QuarantinedEvent],
        *,
        record: QuarantinedEvent | None = None,
        hidden: list[tuple[str, str]] | None = None,
        is_answered: bool | None = None,
        facts: dict[str, Any] | None = None,
    ) -> HttpResponse:
        events = events.order_by().filter(status=QuarantinedEvent.Status.WAITING)
        waiting = events.count()

        def act(_: dict[str, Any]) -> str:
            if waiting > AT_ONCE:
                send_replay(events.order_by("key").values_list("pk", flat=True))
                return f"{waiting:,} events are being replayed in the background; this page says how many still wait."
            return sentence(replay_quarantine(events=events, now=clock.now()))

        question = Question(
            title="Replay events?",
            text="Each is tried again with the time it first came with. Those whose customer and meter exist now "
            "count; the others stay in quarantine.",
            facts={"Waiting events": f"{waiting:,}", **(facts or {})},
            button="Replay",
            hidden=hidden or [],
        )
        return ask(self, request, question, act, record=record, is_answered=is_answered)

    # The head of the list

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        if isinstance(response, TemplateResponse) and response.context_data is not None:
            response.context_data["quarantine"] = head_of(request)
        return response


def head_of(request: HttpRequest) -> dict[str, Any]:
    """How much waits, for what, and since when."""
    groups, now = waiting_groups(), clock.now()
    waiting = sum(group.count for group in groups)
    ready = sum(group.count for group in groups if group.is_ready)
    is_partial = waiting == COUNTED_AT_MOST
    labels = dict(Reason.choices)
    return {
        "waiting": f"{waiting:,}{'+' * is_partial}",
        "is_waiting": bool(waiting),
        "ready": f"{ready:,}",
        "is_ready": bool(ready),
        "oldest": age_text(min(group.oldest for group in groups), now) if groups else "",
        "facts": facts_for("usage.quarantinedevent.waiting", groups)
        if request.user.has_perm("invoices.view_invoice")
        else {},
        "may_replay": request.user.has_perm(MAY_REPLAY),
        "tables": [
            {
                "title": title,
                "rows": [
                    {
                        "name": labels.get(one.name, one.name) if attribute == "reason" else one.name,
                        "is_code": attribute != "reason",
                        "count": f"{one.count:,}",
                        "age": age_text(one.oldest, now),
                        "shown": urlencode({"status__exact": "waiting", lookup: one.name}),
                        "replayed": urlencode({attribute: one.name}),
                    }
                    for one in tallies(groups, attribute)[:SHOWN]
                ],
                "more": max(0, len(tallies(groups, attribute)) - SHOWN),
            }
            for title, attribute, lookup in (
                ("Why", "reason", "reason__exact"),
                ("Customer", "customer_reference", "customer_reference__exact"),
                ("Event", "event_name", "event_name__exact"),
            )
        ],
    }


def facts_of(groups: list[WaitingGroup], asked: dict[str, str]) -> dict[str, Any]:
    """What the question says before anything is replayed."""
    labels = dict(Reason.choices)
    ready = sum(group.count for group in groups if group.is_ready)
    found: dict[str, Any] = {"Customer and meter exist now": f"{ready:,}"}
    found |= {
        NARROWED_BY[name]: labels.get(value, value) if name == "reason" else value
        for name, value in asked.items()
    }
    return found


def send_replay(ids: Iterable[int]) -> None:
    """In pieces, each a task: a lost one leaves its events waiting, to be replayed again."""
    every = list(ids)
    for start in range(0, len(every), AT_ONCE):
        tasks.replay_waiting.delay(every[start : start + AT_ONCE])


def sentence(replayed: Replayed) -> str:
    counted = f"{replayed.replayed:,} event{'' if replayed.replayed == 1 else 's'} replayed"
    return f"{counted}; {replayed.waiting:,} still waiting." if replayed.waiting else f"{counted}."


tenant_site.register(QuarantinedEvent, QuarantinedEventAdmin)
