"""What is asked of /usage: read from the query string, and checked before anything is read."""

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from django.http import QueryDict

from apps.catalog.models import Meter
from apps.catalog.selectors import meters_in_use
from apps.core.errors import Invalid, Missing
from apps.core.periods import month_start
from apps.customers.models import Customer
from apps.customers.selectors import customer_by_reference
from apps.usage.api.usage_serializers import UsageListQuery
from apps.usage.selectors.pieces import Interval
from apps.usage.selectors.totals import Span
from apps.usage.selectors.usage_rows import UsageRow, usage_rows
from apps.usage.selectors.windows import windows_of

# The minutes of the longest day.
MAX_WINDOWS = 1_500
# Of usage that is grouped so many windows, and totals of groups, are read at once.
WINDOWS_AT_ONCE = 25
MAX_GROUPS = 20_000
FILTER = re.compile(r"filter\[(.+)\]", re.DOTALL)
LISTS = ("meter", "group_by")
CURSOR = re.compile(r"[0-9]{1,18}:[0-9]{1,4}")


@dataclass(frozen=True, slots=True)
class UsageQuestion:
    """`windows` are the same for each of `customers`, in whose order the answer comes."""

    customer: Customer
    customers: Sequence[Customer]
    meters: Sequence[Meter]
    period: Interval
    windows: Sequence[Interval]
    window: str | None
    time_zone: str
    group_by: Sequence[str]
    filters: dict[str, list[str]]
    is_csv: bool
    limit: int
    # Where the page begins: index of a customer and a window.
    begins: tuple[int, int]

    def spans(self) -> Iterator[tuple[str, Span]]:
        """Those from where the page begins, each with the cursor that begins with it."""
        from_customer, from_window = self.begins
        for customer in self.customers:
            if customer.pk < from_customer:
                continue
            first = from_window if customer.pk == from_customer else 0
            for index, (start, end) in enumerate(self.windows[first:], first):
                yield cursor_text(customer.pk, index), Span(customer.pk, start, end)

    def rows(self, spans: Sequence[Span], as_of: datetime) -> Iterator[list[UsageRow]]:
        """For each span its rows. They are read when they are wanted, some windows at a time and no more groups than
        `MAX_GROUPS`: all groups of a page's windows may be many millions.

        Raises `Invalid` too_many_groups for a window that has more; a CSV has them all the same.
        """
        at_once = len(spans) if not self.group_by else WINDOWS_AT_ONCE
        left = list(spans)
        while left:
            found = self.read(left[:at_once], as_of, at_most=MAX_GROUPS)
            if not found:
                found = self.read_many(left[0], as_of)
            yield from found
            left = left[len(found) :]

    def read(self, spans: Sequence[Span], as_of: datetime, at_most: int | None) -> list[list[UsageRow]]:
        return list(
            usage_rows(
                spans, self.meters, group_by=self.group_by, filters=self.filters, as_of=as_of, at_most=at_most
            )
        )

    def read_many(self, span: Span, as_of: datetime) -> list[list[UsageRow]]:
        if self.is_csv:
            return self.read([span], as_of, at_most=None)
        raise Invalid(
            "too_many_groups",
            f"The window from {span.start.isoformat()} has more than {MAX_GROUPS:,} groups. Group by fewer dimensions,"
            " filter, choose smaller windows, or ask for CSV.",
            param="/group_by",
        )


def question_of(params: QueryDict, *, accepts: str, now: datetime) -> UsageQuestion:
    """Raises `Invalid` and `Missing` with what is wrong."""
    filters = {found[1]: params.getlist(name) for name in params if (found := FILTER.fullmatch(name))}
    given: dict[str, Any] = {
        name: params.getlist(name) if name in LISTS else params[name]
        for name in params
        if not FILTER.fullmatch(name)
    }
    query = UsageListQuery(data={**given, "filter": filters})
    query.is_valid(raise_exception=True)
    asked = query.validated_data
    customer = customer_by_reference(asked["customer"])
    customers = [customer]
    if asked["include_children"]:
        customers += customer.children.order_by("pk")
        customers.sort(key=lambda one: one.pk)
    meters = meters_of(asked["meter"])
    check_dimensions(meters, asked["group_by"], asked["filter"])
    time_zone = asked.get("time_zone") or customer.time_zone
    period = period_of(asked, now, ZoneInfo(customer.time_zone))
    window = asked.get("window")
    return UsageQuestion(
        customer=customer,
        customers=customers,
        meters=meters,
        period=period,
        windows=windows_within(period, window, ZoneInfo(time_zone)),
        window=window,
        time_zone=time_zone,
        group_by=asked["group_by"],
        filters=asked["filter"],
        is_csv=asked.get("format", "csv" if "text/csv" in accepts else "json") == "csv",
        limit=asked["limit"],
        begins=begins_of(asked.get("cursor", "")),
    )


def meters_of(codes: list[str]) -> list[Meter]:
    """Those asked for, in this order; else all that are in use."""
    if not codes:
        return meters_in_use()
    found = {meter.code: meter for meter in Meter.objects.filter(code__in=codes)}
    for code in codes:
        if code not in found:
            raise Missing("meter_not_found", f"There is no meter {code!r}.", param="/meter")
    return [found[code] for code in dict.fromkeys(codes)]


def check_dimensions(meters: list[Meter], group_by: list[str], filters: dict[str, list[str]]) -> None:
    known = {name for meter in meters for name in meter.dimensions}
    named = [("/group_by", name) for name in group_by] + [(f"/filter[{name}]", name) for name in filters]
    for param, name in named:
        if name not in known:
            raise Invalid("unknown_dimension", f"None of these meters has a dimension {name!r}.", param=param)


def period_of(asked: dict[str, Any], now: datetime, time_zone: ZoneInfo) -> Interval:
    if "start" in asked:
        return asked["start"], asked["end"]
    first = -1 if asked.get("period") == "previous" else 0
    return month_start(now, time_zone, first), month_start(now, time_zone, first + 1)


def windows_within(period: Interval, window: str | None, time_zone: ZoneInfo) -> list[Interval]:
    if window is None:
        return [period]
    found = list(islice(windows_of(*period, window=window, time_zone=time_zone), MAX_WINDOWS + 1))
    if len(found) > MAX_WINDOWS:
        raise Invalid(
            "too_many_windows",
            f"The period has more than {MAX_WINDOWS:,} windows of a {window}. Shorten it, or widen the windows.",
            param="/window",
        )
    return found


def cursor_text(customer_id: int, window: int) -> str:
    return base64.urlsafe_b64encode(f"{customer_id}:{window}".encode()).decode().rstrip("=")


def begins_of(cursor: str) -> tuple[int, int]:
    if not cursor:
        return 0, 0
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError, UnicodeEncodeError, ValueError):
        text = ""
    if not CURSOR.fullmatch(text):
        raise Invalid("invalid_cursor", "This cursor is not one of ours.", param="/cursor")
    customer_id, window = text.split(":")
    return int(customer_id), int(window)
