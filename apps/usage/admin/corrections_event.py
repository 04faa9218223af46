"""On an event's page: void it, or amend it. Each asks for a reason and says what will count no more."""

from datetime import UTC
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action
from unfold.widgets import (
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from apps.catalog.models import Meter
from apps.core import clock
from apps.core.admin.base import FactAdmin
from apps.core.admin.confirmation import Question, ask
from apps.core.admin.display import quantity_text
from apps.core.api.parsers import decode_json
from apps.core.errors import Invalid
from apps.usage.models import UsageEvent
from apps.usage.selectors.event_story import readings_of
from apps.usage.services.corrections.amend_event import amend_event
from apps.usage.services.corrections.void_event import void_event

MAY_CORRECT = "usage.add_usagecorrection"
FOLLOWS = (
    "Usage and drafts follow at once. What stands on a finalized invoice stays there; the difference comes with the "
    "next one."
)


class ReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=1000, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}), help_text="Kept for ever."
    )


class AmendForm(forms.Form):
    customer = forms.CharField(
        max_length=127, widget=UnfoldAdminTextInputWidget, help_text="External ID or cus_…"
    )
    timestamp = forms.SplitDateTimeField(
        label="Time", widget=UnfoldAdminSplitDateTimeWidget, help_text="UTC."
    )
    properties = forms.CharField(
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 8}), help_text="All of them, as a JSON object."
    )
    reason = forms.CharField(
        max_length=1000, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}), help_text="Kept for ever."
    )

    def clean_properties(self) -> dict[str, Any]:
        try:
            found = decode_json(self.cleaned_data["properties"].encode())
        except (Invalid, UnicodeEncodeError) as error:
            raise forms.ValidationError("This is no JSON.") from error
        if not isinstance(found, dict):
            raise forms.ValidationError("The properties are a JSON object.")
        return found


class EventCorrections(FactAdmin):
    """What the event's page adds to a fact: corrections are new facts about it."""

    actions_detail: Any = ("amend", "void")

    def is_on_offer(self, action: str, record: UsageEvent) -> bool:
        return not getattr(record, "is_voided", False)

    @action(description="Void", icon="block", permissions=[MAY_CORRECT])
    def void(self, request: HttpRequest, object_id: str) -> HttpResponse:
        event = self.record_of(request, object_id)

        def act(given: dict[str, Any]) -> str:
            void_event(event_id=event.event_id, source=event.source, reason=given["reason"], now=clock.now())
            return f"Event {event.event_id} counts no more."

        question = Question(
            title="Void the event?",
            text=f"It stays, and counts no more; sent again, it is a duplicate. {FOLLOWS}",
            facts=effect_of(event, "counts no more"),
            form=ReasonForm,
            button="Void",
            is_dangerous=True,
        )
        return ask(self, request, question, act, record=event)

    @action(description="Amend", icon="edit_note", permissions=[MAY_CORRECT])
    def amend(self, request: HttpRequest, object_id: str) -> HttpResponse:
        event = self.record_of(request, object_id)
        present = {
            "customer": event.customer.external_id or event.customer.public_id,
            # The widget shows whole seconds: what it can't show must not count as a change.
            "timestamp": event.timestamp.astimezone(UTC).replace(microsecond=0),
            "properties": event.properties_text,
        }

        def act(given: dict[str, Any]) -> str:
            changes = {name: given[name] for name in ("customer", "properties")}
            if given["timestamp"] != present["timestamp"]:
                changes["timestamp"] = given["timestamp"]
            correction = amend_event(
                event_id=event.event_id,
                source=event.source,
                changes=changes,
                reason=given["reason"],
                now=clock.now(),
            )
            return f"Event {event.event_id} counts as revision {correction.changes['revision']} now."

        question = Question(
            title="Amend the event?",
            text=f"A revision with the same ID takes its place, and is measured by today's meters. {FOLLOWS}",
            facts=effect_of(event, "is replaced"),
            form=AmendForm,
            initial=present,
            button="Amend",
        )
        return ask(self, request, question, act, record=event)


def effect_of(event: UsageEvent, what: str) -> dict[str, str]:
    """By meter: what it counted for."""
    readings = [one for one in readings_of(event) if not one.is_discarded]
    meters = Meter.objects.in_bulk({one.meter_id for one in readings})
    return {str(meters[one.meter_id]): f"{value_text(one.value)} {what}" for one in readings}


def value_text(value: str) -> str:
    try:
        return quantity_text(Decimal(value))
    except InvalidOperation:
        return value
