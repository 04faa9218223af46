"""Take in a file, a thousand records at a time.

The position is stored after each piece, so that whoever goes on goes on there. A kill between a piece and its
position lets the piece come again, as duplicates: events are told apart by their ids, so nothing counts twice.
Starting from the beginning would be as harmless, and only slower.
"""

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from enum import Enum
from itertools import islice

from django.db import Error
from django.db.models import F

from apps.core import clock
from apps.core.locks import session_lock
from apps.core.schema import schema_name
from apps.usage.models import UsageImport
from apps.usage.services.imports import files, report
from apps.usage.services.imports.records import Record, Start, UnreadableFile, in_chunks
from apps.usage.services.imports.take import CHUNK, take

log = logging.getLogger(__name__)

Status = UsageImport.Status
Listener = Callable[[UsageImport], None]


def nobody(run: UsageImport) -> None:
    """Whoever does not want to be told."""


def run_import(*, import_id: int, at_most: timedelta | None = None, listen: Listener = nobody) -> bool:
    """Go on with a running import until the file ends, it is cancelled, or `at_most` has passed.

    Returns whether time was up first, so that somebody has to go on. Nothing is done when it is not running, or
    another process is at work on it. What stops it otherwise is kept as its problem; it can be started again.
    """
    with session_lock(f"usage_import:{schema_name()}:{import_id}") as is_held:
        run = UsageImport.objects.get(pk=import_id)
        if not is_held or run.status != Status.RUNNING:
            return False
        deadline = None if at_most is None else time.monotonic() + at_most.total_seconds()
        try:
            ended = go_on(run, deadline, listen)
        except (UnreadableFile, OSError, Error) as error:
            log.exception("import %s of %s has stopped", run.public_id, schema_name())
            end(run, Status.FAILED, problem=str(error))
            return False
        if ended is Ended.FILE:
            end(run, Status.DONE)
        return ended is Ended.TIME


class Ended(Enum):
    FILE = "the file"
    TIME = "the time"
    CANCELLED = "somebody"


def go_on(run: UsageImport, deadline: float | None, listen: Listener) -> Ended:
    """What ended it."""
    start = Start(run.position, run.bytes_read, run.lines_read)
    records = iter(files.records_in(files.path_of(run), run.format, start))
    unknown = start.records if not start.lines else 0
    for chunk in in_chunks(islice(records, unknown, None), CHUNK):
        if not step(run, chunk):
            return Ended.CANCELLED
        listen(run)
        if deadline is not None and time.monotonic() > deadline:
            return Ended.TIME
    return Ended.FILE


def step(run: UsageImport, chunk: list[Record]) -> bool:
    """Events, report, position, in this order. False when somebody has stopped the import."""
    if not UsageImport.objects.filter(pk=run.pk, status=Status.RUNNING).exists():
        return False
    taken = take(chunk, now=clock.now(), earliest_at=run.earliest_at)
    path = files.report_path_of(run)
    run.report_size = report.append(path, taken.lines, at=run.report_size)
    run.position += len(chunk)
    run.bytes_read, run.lines_read = chunk[-1].bytes_read, chunk[-1].lines_read
    for name, count in taken.counts.items():
        setattr(run, name, getattr(run, name) + count)
    counted = {name: F(name) + count for name, count in taken.counts.items()}
    UsageImport.objects.filter(pk=run.pk).update(
        position=run.position,
        bytes_read=run.bytes_read,
        lines_read=run.lines_read,
        report_size=run.report_size,
        **counted,
    )
    return True


def end(run: UsageImport, status: str, *, problem: str = "") -> None:
    """Guarded: an import that was cancelled meanwhile stays cancelled."""
    UsageImport.objects.filter(pk=run.pk, status=Status.RUNNING).update(
        status=status, finished_at=clock.now(), problem=problem
    )
