"""Usage as CSV: all rows, sent while they are read."""

import csv
from collections.abc import Iterator, Sequence
from datetime import datetime
from io import StringIO
from itertools import chain, islice

from django.http import StreamingHttpResponse
from django_tenants.utils import tenant_context

from apps.core import schema
from apps.core.spreadsheets import safe
from apps.core.text import instant_text
from apps.rating import plain
from apps.usage.api.usage_query import UsageQuestion
from apps.usage.selectors.usage_rows import UsageRow

WINDOWS_AT_ONCE = 200
ROWS_AT_ONCE = 5_000


def answer(question: UsageQuestion, now: datetime) -> StreamingHttpResponse:
    """The first rows are read before the answer begins, so that what fails, fails with a problem document."""
    parts = parts_of(question, now)
    first = next(parts, b"")
    response = StreamingHttpResponse(
        chain([lines([head_of(question)]), first], parts), content_type="text/csv; charset=utf-8"
    )
    response["Content-Disposition"] = 'attachment; filename="usage.csv"'
    return response


def head_of(question: UsageQuestion) -> list[str]:
    row = ["customer", "external_id", "meter", "unit", "start", "end"]
    return [*row, *map(safe, question.group_by), "quantity", "event_count"]


def parts_of(question: UsageQuestion, now: datetime) -> Iterator[bytes]:
    """The schema is entered for each part: the request has left it when the answer is sent."""
    tenant = schema.current_tenant()
    names = {customer.pk: (customer.public_id, customer.external_id) for customer in question.customers}
    spans = (span for _, span in question.spans())
    while part := list(islice(spans, WINDOWS_AT_ONCE)):
        found = question.rows(part, now)
        pending: list[UsageRow] = []
        is_complete = False
        while not is_complete:
            with tenant_context(tenant):
                rows = next(found, None)
            is_complete = rows is None
            pending += rows or []
            while len(pending) >= ROWS_AT_ONCE or (is_complete and pending):
                yield lines([row_cells(row, names, question.group_by) for row in pending[:ROWS_AT_ONCE]])
                del pending[:ROWS_AT_ONCE]


def row_cells(row: UsageRow, names: dict[int, tuple[str, str]], group_by: Sequence[str]) -> list[str]:
    dimensions = row.dimensions or {}
    return [
        *map(safe, names[row.span.customer_id]),
        row.meter.code,
        safe(row.meter.unit),
        instant_text(row.span.start),
        instant_text(row.span.end),
        *(safe(dimensions.get(name, "")) for name in group_by),
        plain(row.quantity.quantity),
        str(row.quantity.event_count),
    ]


def lines(rows: list[list[str]]) -> bytes:
    text = StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
