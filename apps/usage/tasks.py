"""Work of usage that takes longer than a request."""

from datetime import datetime, timedelta

from celery import shared_task

from apps.core import clock
from apps.usage.models import MeterBackfill, QuarantinedEvent
from apps.usage.services.imports.run import run_import
from apps.usage.services.meter_backfill import run
from apps.usage.services.replay_quarantine import replay_quarantine

# Well below the time limit of tasks; what is left is another task.
AT_MOST = timedelta(minutes=4)


@shared_task(name="usage.run_meter_backfill")
def run_meter_backfill(backfill_id: int) -> None:
    """Twice, or at once with another: the backfill allows it."""
    backfill = run.run_backfill(backfill_id=backfill_id, now=clock.now(), at_most=AT_MOST)
    if backfill.status == MeterBackfill.Status.RUNNING:
        run_meter_backfill.delay(backfill_id)


@shared_task(name="usage.run_import")
def run_usage_import(import_id: int) -> None:
    """Twice, or at once with another: one of them takes in the file."""
    if run_import(import_id=import_id, at_most=AT_MOST):
        run_usage_import.delay(import_id)


@shared_task(name="usage.replay_waiting")
def replay_waiting(ids: list[int]) -> None:
    """Those of the events that still wait. Twice, or at once with another: each counts once."""
    replay_quarantine(events=QuarantinedEvent.objects.filter(pk__in=ids), now=clock.now())


def send_waiting_backfills(now: datetime) -> int:
    """A due job: queued backfills, and those whose worker was lost, get another."""
    waiting = run.waiting()
    for backfill_id in waiting:
        run_meter_backfill.delay(backfill_id)
    return len(waiting)
