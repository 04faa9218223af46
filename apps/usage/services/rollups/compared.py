"""Maximum, minimum and latest: a bucket's total is one of the values, whichever order they come in."""

from apps.catalog.models import Meter
from apps.usage.services.pack import bigints, execute, instants
from apps.usage.services.rollups.buckets import Number, key_columns, numbers, upserts
from apps.usage.services.rollups.kinds import Numbers, numbers_by_day

Aggregation = Meter.Aggregation

COLUMNS = {"quantity": "numeric", "event_count": "bigint", "last_at": "timestamptz"}
LAST = ", last_at = greatest(total.last_at, excluded.last_at)"
# Of several values at one instant the largest is the latest: no other rule needs more than the values themselves.
STATEMENTS: dict[str, str] = {
    Aggregation.MAX: upserts(COLUMNS, "quantity = greatest(total.quantity, excluded.quantity)" + LAST),
    Aggregation.MIN: upserts(COLUMNS, "quantity = least(total.quantity, excluded.quantity)" + LAST),
    Aggregation.LATEST: upserts(
        COLUMNS,
        "quantity = CASE WHEN (excluded.last_at, excluded.quantity) > (total.last_at, total.quantity)"
        " THEN excluded.quantity ELSE total.quantity END" + LAST,
    ),
}


def add(aggregation: str, hours: Numbers) -> None:
    execute(
        STATEMENTS[aggregation], [*columns(aggregation, hours), *columns(aggregation, numbers_by_day(hours))]
    )


def columns(aggregation: str, found: Numbers) -> list[object]:
    keys = sorted(found)
    return [
        *key_columns(keys),
        numbers([chosen(aggregation, found[key]) for key in keys]),
        bigints([len(found[key]) for key in keys]),
        instants([max(at for at, _ in found[key]) for key in keys]),
    ]


def chosen(aggregation: str, found: list[tuple[int, Number]]) -> Number:
    if aggregation == Aggregation.LATEST:
        return max(found)[1]
    values = [value for _, value in found]
    return max(values) if aggregation == Aggregation.MAX else min(values)
