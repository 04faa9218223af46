"""From an invoice line to its events: a page and a CSV of all of them."""

from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from apps.core.admin.base import FactAdmin
from apps.core.admin.display import instant_text, quantity_text
from apps.core.errors import Invalid
from apps.invoices.api.line_events import cursor_of, read_cursor
from apps.invoices.events_csv import csv_answer
from apps.invoices.line_events import is_metered, line_events
from apps.invoices.models import InvoiceLine

SHOWN = 100
MAX_SHOWN = 60
EVENTS = "admin:invoices_invoice_line_events"
EXPLORER = "admin:usage_usageevent_changelist"


class LineEventsPages(FactAdmin):
    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.line_events)
        own = [path("<int:invoice_id>/lines/<int:position>/", view, name="invoices_invoice_line_events")]
        return [*own, *super().get_urls()]

    def line_events(self, request: HttpRequest, invoice_id: int, position: int) -> HttpResponseBase:
        if not request.user.has_perms(["invoices.view_invoice", "usage.view_usageevent"]):
            raise PermissionDenied
        lines = InvoiceLine.objects.select_related(
            "invoice__customer", "price__meter", "price__plan_version__plan"
        )
        line = get_object_or_404(lines, invoice_id=invoice_id, position=position)
        if not is_metered(line):
            raise Http404("A fee has no events.")
        events = line_events(line)
        if request.GET.get("format") == "csv":
            return csv_answer(events, line)
        try:
            after = read_cursor(request.GET.get("cursor", ""))
        except Invalid as invalid:
            raise Http404(invalid.message) from invalid
        found = events.page(limit=SHOWN + 1, after=after)
        zone = line.invoice.customer.time_zone
        here = reverse(EVENTS, args=[invoice_id, position])
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "title": f"Events of {line.invoice}: {line.description}",
            "opts": self.opts,
            "original": line.invoice,
            "line": line,
            "count": quantity_text(line.event_count),
            "quantity": quantity_text(line.quantity),
            "has_teams": events.has_teams,
            "rows": [
                {
                    "at": instant_text(one.timestamp, zone),
                    "event": one,
                    "value": quantity_text_of(one.value),
                    "received": instant_text(one.received_at, zone),
                    "url": f"{reverse(EXPLORER)}?{urlencode({'q': one.event_id})}",
                }
                for one in found[:SHOWN]
            ],
            "next_url": f"{here}?{urlencode({'cursor': cursor_of(found[SHOWN - 1])})}"
            if len(found) > SHOWN
            else "",
            "first_url": here if after else "",
            "csv_url": f"{here}?format=csv",
        }
        return TemplateResponse(request, "admin/invoices/invoice/line_events.html", context)


def quantity_text_of(value: str) -> str:
    """What was read: a number for most meters, any text for one that counts different values."""
    try:
        return quantity_text(Decimal(value))
    except InvalidOperation:
        return value if len(value) <= MAX_SHOWN else f"{value[:MAX_SHOWN]}…"
