"""Work that becomes due by the clock.

An app registers a due job: when is the next piece of work due, and do the work that is due. Celery beat
runs all of them every tick for live tenants; the test clock of a sandbox walks from one due instant to
the next, so that both see the same order. Jobs must be safe to run twice, and at once.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DueJob:
    """`rank` orders jobs that are due at the same instant: closing comes before finalizing."""

    name: str
    rank: int
    next_due_at: Callable[[], datetime | None]
    run: Callable[[datetime], int]


_registered: dict[str, DueJob] = {}


def register_due_job(
    *, name: str, rank: int, next_due_at: Callable[[], datetime | None], run: Callable[[datetime], int]
) -> None:
    """Called from an app's `ready()`. `run(now)` does everything due at or before now and returns how much it did."""
    _registered[name] = DueJob(name=name, rank=rank, next_due_at=next_due_at, run=run)


def due_jobs() -> list[DueJob]:
    return sorted(_registered.values(), key=lambda job: job.rank)


def run_due_jobs(now: datetime) -> dict[str, int]:
    """Run every registered job once, in rank order, for the tenant that is entered. Returns what each did.

    One that fails doesn't keep the others from their work: invoices go out though partitions can't be made. What the
    first failure was is raised in the end, so that it is seen.
    """
    done: dict[str, int] = {}
    failure: Exception | None = None
    for job in due_jobs():
        try:
            done[job.name] = job.run(now)
        except Exception as error:
            log.exception("the job %s failed", job.name)
            failure = failure or error
    if failure is not None:
        raise failure
    return done


def next_due_at() -> datetime | None:
    """Return the earliest instant at which any job of the entered tenant is due."""
    instants = [instant for job in due_jobs() if (instant := job.next_due_at()) is not None]
    return min(instants, default=None)
