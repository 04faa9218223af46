"""Forget what a draft counted by a definition that it no longer has."""

from django.db import connection

from apps.catalog.models import Meter
from apps.core import clock
from apps.usage.models import MeterBackfill
from apps.usage.services.corrections import turn
from apps.usage.services.meter_backfill.request import UNFINISHED
from apps.usage.services.meter_backfill.run import CHANGED

TABLES = (
    "usage_rolluphour",
    "usage_rollupday",
    "usage_uniquehour",
    "usage_uniqueday",
    "usage_backfilledreading",
)
# Shapes are facts and keep the readings; those of the new definition get shapes of their own.
LEAVE_OUT = """
INSERT INTO usage_discardedreading (shape_id, meter_id)
SELECT id, %s FROM usage_eventshape WHERE meter_ids @> ARRAY[%s]::bigint[] ON CONFLICT DO NOTHING
"""


def discard_readings(meter: Meter) -> None:
    """Called by the catalog in the transaction that changes a draft.

    Batches that still count by the former definition are waited for, and the next ones wait for the commit: so
    none of them adds to totals after they were deleted. What came in before counts again by a backfill.
    """
    turn.take_turn_alone()
    with connection.cursor() as cursor:
        cursor.execute(LEAVE_OUT, [meter.pk, meter.pk])
        for table in TABLES:
            cursor.execute(f"DELETE FROM {table} WHERE meter_id = %s", [meter.pk])
    MeterBackfill.objects.filter(meter=meter, status__in=UNFINISHED).update(
        status=MeterBackfill.Status.CANCELLED, error=CHANGED, finished_at=clock.now()
    )
