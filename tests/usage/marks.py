"""Where the totals of days begin to be made of hours: moved as no code of ours may, and as the roller does."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from django.db import connection, transaction

from apps.catalog.models import Meter
from apps.customers.models import Customer
from apps.usage.models import DayMark
from apps.usage.services.rollups import roll

DAY = timedelta(days=1)


class Killed(Exception):
    """Instead of a signal: the transaction that is under way is lost, those before it stay."""


def day_of(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def set_mark(*, written_before: datetime) -> None:
    """Anywhere, also back: for tenants that have no events yet."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            "UPDATE usage_daymark SET written_before = %s, complete_before = %s", [written_before] * 2
        )
        cursor.execute("UPDATE core_lookupversion SET version = version + 1")
        cursor.execute("SET LOCAL session_replication_role = origin")


def wander(until: datetime, chance: Random) -> None:
    """Let somebody roll the days before `until`, who may be killed at any of his steps."""
    how = chance.choice(["not", "written", "half", "whole"])
    if how == "whole":
        roll.roll_days(until=until)
    elif how != "not":
        roll.move_written(until)
    if how == "half" and (day := roll.next_day(DayMark.objects.get().written_before)):
        meters = list(Meter.objects.filter(aggregation__in=["sum", "count"]).values_list("pk", flat=True))
        customers = list(Customer.objects.order_by("pk").values_list("pk", flat=True))
        roll.roll_customers(customers[: chance.randrange(len(customers) + 1)], meters, day)


def dying(call: Callable[..., Any], *, after: int) -> Callable[..., Any]:
    """The same, but instead of call number `after` it raises."""
    left = [after]

    def instead(*given: Any) -> Any:
        if not left[0]:
            raise Killed
        left[0] -= 1
        return call(*given)

    return instead


# How far the roller has come when something else happens.
STAGES = ["not begun", "written", "half a day", "a day unmarked", "a day", "all"]


def bring_to(stage: str, until: datetime) -> None:
    """By rolling one customer at a time, in two days, of two customers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(roll, "CHUNK", 1)
        if stage == "half a day":
            patch.setattr(roll, "roll_customers", dying(roll.roll_customers, after=1))
        elif stage == "a day unmarked":
            patch.setattr(roll, "move_complete", dying(roll.move_complete, after=0))
        elif stage == "a day":
            patch.setattr(roll, "roll_customers", dying(roll.roll_customers, after=3))
        if stage == "written":
            roll.move_written(until)
        elif stage == "all":
            roll.roll_days(until=until)
        elif stage != "not begun":
            with pytest.raises(Killed):
                roll.roll_days(until=until)
