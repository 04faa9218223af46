"""The events behind a line as CSV, sent while they are read."""

import csv
from collections.abc import Iterator
from io import StringIO
from itertools import chain

from django.http import StreamingHttpResponse
from django_tenants.utils import tenant_context

from apps.core import schema
from apps.core.spreadsheets import safe
from apps.core.text import instant_text
from apps.invoices.line_events import LineEvents
from apps.invoices.models import InvoiceLine

HEAD = ["timestamp", "id", "source", "event", "value", "received_at", "customer"]


def csv_answer(events: LineEvents, line: InvoiceLine) -> StreamingHttpResponse:
    """The first day is read before the answer begins, so that what fails, fails with a proper error."""
    parts = parts_of(events)
    first = next(parts, b"")
    response = StreamingHttpResponse(
        chain([rows_text([HEAD]), first], parts), content_type="text/csv; charset=utf-8"
    )
    name = f"{line.invoice.number or line.invoice.public_id}-line-{line.position}-events.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def parts_of(events: LineEvents) -> Iterator[bytes]:
    """The schema is entered for each part: the request has left it when the answer is sent."""
    tenant = schema.current_tenant()
    days = events.by_day()
    while True:
        with tenant_context(tenant):
            found = next(days, None)
        if found is None:
            return
        yield rows_text(
            [
                [
                    instant_text(one.timestamp), safe(one.event_id), safe(one.source),
                    safe(one.event_name), one.value, instant_text(one.received_at),
                    safe(one.customer.external_id),
                ]
                for one in found
            ]
        )  # fmt: skip


def rows_text(rows: list[list[str]]) -> bytes:
    text = StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
