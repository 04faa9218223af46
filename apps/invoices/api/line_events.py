"""/invoices/{reference}/lines/{position}/events"""

import base64
import binascii
from datetime import datetime
from typing import Any

import msgspec
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.access.models import Scope
from apps.core.errors import Invalid, Missing
from apps.core.text import instant_text
from apps.invoices.events_csv import csv_answer
from apps.invoices.line_events import After, LineEvent, line_events
from apps.invoices.models import InvoiceLine
from apps.invoices.selectors import invoice_by_reference

DEFAULT_LIMIT, MAX_LIMIT = 25, 100


class LineEventOutput(serializers.Serializer[Any]):
    timestamp = serializers.DateTimeField()
    id = serializers.CharField(source="event_id")
    # A field, not DRF's attribute of the same name.
    source = serializers.CharField()  # type: ignore[assignment]
    event = serializers.CharField(source="event_name")
    value = serializers.CharField(help_text="What the line's meter read.")
    received_at = serializers.DateTimeField()
    customer = serializers.CharField(
        source="customer.public_id", help_text="Who used it: who pays for the line, or a team billed to them."
    )


class LineEventPage(serializers.Serializer[Any]):
    # A field, not DRF's attribute of the same name.
    data = LineEventOutput(many=True)  # type: ignore[assignment]
    next_cursor = serializers.CharField(allow_null=True)


class InvoiceLineEvents(APIView):
    required_scope = Scope.INVOICES_READ

    @extend_schema(
        parameters=[
            OpenApiParameter("limit", OpenApiTypes.INT, description="1 to 100."),
            OpenApiParameter("cursor", OpenApiTypes.STR, description="`next_cursor` of the page before."),
            OpenApiParameter(
                "format", OpenApiTypes.STR, enum=["json", "csv"], description="csv: all of them."
            ),
        ],
        responses=LineEventPage,
    )
    def get(self, request: Request, reference: str, position: int) -> Response | StreamingHttpResponse:
        """The events behind a line of an invoice, in the order of time."""
        line = line_of(reference, position)
        events = line_events(line)
        if request.query_params.get("format", "json") == "csv":
            return csv_answer(events, line)
        limit = limit_of(request.query_params.get("limit", ""))
        found = events.page(limit=limit + 1, after=read_cursor(request.query_params.get("cursor", "")))
        following = cursor_of(found[limit - 1]) if len(found) > limit else None
        return Response(LineEventPage({"data": found[:limit], "next_cursor": following}).data)


def line_of(reference: str, position: int) -> InvoiceLine:
    """Raises `Missing` invoice_not_found, line_not_found."""
    invoice = invoice_by_reference(reference)
    line = (
        InvoiceLine.objects.select_related("invoice", "price__meter")
        .filter(invoice=invoice, position=position)
        .first()
    )
    if line is None:
        raise Missing("line_not_found", f"The invoice has no line at position {position}.")
    return line


def limit_of(text: str) -> int:
    if not text:
        return DEFAULT_LIMIT
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= MAX_LIMIT:
        raise Invalid("invalid_limit", f"limit is a number from 1 to {MAX_LIMIT}.", param="/limit")
    return int(text)


def cursor_of(event: LineEvent) -> str:
    place = [instant_text(event.timestamp), event.event_id, event.source]
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode()


def read_cursor(text: str) -> After | None:
    if not text:
        return None
    try:
        place = msgspec.json.decode(base64.urlsafe_b64decode(text), type=tuple[datetime, str, str])
        if place[0].tzinfo is None or "\0" in place[1] + place[2]:
            raise ValueError
    except (binascii.Error, msgspec.MsgspecError, ValueError) as error:
        raise Invalid("invalid_cursor", "The cursor is not one of ours.", param="/cursor") from error
    return place
