"""/usage and a customer's usage of a period: live, what was accepted a moment ago is in it"""

from datetime import datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.access.models import Scope
from apps.catalog.selectors import meters_in_use
from apps.core import clock
from apps.core.periods import calendar_month
from apps.customers.models import Customer
from apps.customers.selectors import customer_by_reference
from apps.usage.api import usage_csv
from apps.usage.api.usage_query import UsageQuestion, question_of
from apps.usage.api.usage_serializers import (
    PeriodQuery,
    UsageListOutput,
    UsageListParameters,
    UsageOutput,
)
from apps.usage.selectors import quantities
from apps.usage.selectors.usage_rows import UsageRow

# A page ends with the window in which it has so many rows.
MAX_ROWS = 10_000


class UsageList(APIView):
    """Usage of any period, in windows of local time and by the values of dimensions.

    Windows tile the period; an empty one has a quantity of zero. With `group_by` each group that was used has a
    row; a largest value or a number of different values is that of the group and no sum. `filter[model]=gpt-5`,
    which may be repeated, keeps usage with one of these values. Time-weighted usage is in unit-hours, counts what
    was set before the period, and of a period that is not over what accrued.

    Pages hold `limit` windows, and end early after 10,000 rows; a window with more than 20,000 groups is refused
    (`too_many_groups`). `format=csv`, or `Accept: text/csv`, gives all rows at once.
    """

    required_scope = Scope.USAGE_READ

    @extend_schema(
        responses={
            (200, "application/json"): UsageListOutput,
            (200, "text/csv"): OpenApiTypes.STR,
        },
        parameters=[
            UsageListParameters,
            OpenApiParameter(
                "filter[dimension]", str, many=True, description="The name of a dimension in brackets."
            ),
        ],
    )
    def get(self, request: Request) -> Response | StreamingHttpResponse:
        now = clock.now()
        question = question_of(request.query_params, accepts=request.headers.get("Accept", ""), now=now)
        if question.is_csv:
            return usage_csv.answer(question, now)
        return Response(UsageListOutput(page_of(question, now)).data)


def page_of(question: UsageQuestion, now: datetime) -> dict[str, Any]:
    asked = list(islice(question.spans(), question.limit + 1))
    here, cursors = asked[: question.limit], [cursor for cursor, _ in asked]
    rows: list[dict[str, Any]] = []
    taken = 0
    names = {customer.pk: customer.public_id for customer in question.customers}
    for found in question.rows([span for _, span in here], now):
        rows += [row_document(row, names) for row in found]
        taken += 1
        if len(rows) >= MAX_ROWS:
            break
    return {
        "customer": question.customer.public_id,
        "period_start": question.period[0],
        "period_end": question.period[1],
        "as_of": now,
        "time_zone": question.time_zone,
        "window": question.window,
        "data": rows,
        "next_cursor": cursors[taken] if taken < len(cursors) else None,
    }


def row_document(row: UsageRow, names: dict[int, str]) -> dict[str, Any]:
    return {
        "customer": names[row.span.customer_id],
        "meter": row.meter.code,
        "unit": row.meter.unit,
        "start": row.span.start,
        "end": row.span.end,
        "dimensions": row.dimensions,
        "quantity": row.quantity.quantity,
        "event_count": row.quantity.event_count,
    }


class CustomerUsage(APIView):
    """A customer's usage, live: what was accepted a moment ago is in it.

    Without `start` and `end` the current calendar month in the customer's time zone. Time-weighted usage of a
    period that is not over counts what accrued.
    """

    required_scope = Scope.USAGE_READ

    @extend_schema(responses=UsageOutput, parameters=[PeriodQuery])
    def get(self, request: Request, customer: str) -> Response:
        query = PeriodQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        found = customer_by_reference(customer)
        now = clock.now()
        start, end = asked_period(query.validated_data, found, now)
        meters = meters_in_use()
        used = quantities(
            customer_id=found.pk,
            meter_ids={meter.pk: meter.aggregation for meter in meters},
            start=start,
            end=end,
            as_of=now,
        )
        body = {
            "customer": found.public_id,
            "period_start": start,
            "period_end": end,
            "meters": [
                {
                    "meter": meter.code,
                    "name": meter.name,
                    "unit": meter.unit,
                    "quantity": used[meter.pk].quantity,
                    "event_count": used[meter.pk].event_count,
                }
                for meter in meters
            ],
        }
        return Response(UsageOutput(body).data)


def asked_period(query: dict[str, Any], customer: Customer, now: datetime) -> tuple[datetime, datetime]:
    if "start" in query:
        return query["start"], query["end"]
    return calendar_month(now, ZoneInfo(customer.time_zone))
