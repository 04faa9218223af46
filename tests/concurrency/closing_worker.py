"""A closing worker that is killed at a named point: `python -m tests.concurrency.closing_worker POINT`.

The product knows nothing of these points: functions are wrapped here, and the process kills itself with SIGKILL, so
that nothing is cleaned up.
"""

import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import django

NOW = datetime(2026, 4, 2, tzinfo=UTC)
# Two of the five at a time, so that there are batches before and after.
BATCH = 2
# By point: the module, the function, which of its calls, and whether it is killed before or after it.
POINTS = {
    "after claim": ("close_periods", "claim", 2, "after"),
    "after compute": ("close_batch", "compute_invoices", 2, "after"),
    "after invoices": ("close_batch", "store_invoices", 2, "after"),
    "after lines": ("close_batch", "store_lines", 2, "after"),
    "after cursor": ("close_batch", "move_cursors", 2, "after"),
    "before commit": ("close_periods", "note_billed", 2, "after"),
    "after commit": ("close_periods", "bill_next", 2, "after"),
    "between batches": ("close_periods", "bill_next", 3, "before"),
    "while parking": ("close_periods", "note_parked", 1, "before"),
    "while recording the run": ("close_periods", "finish_run", 1, "before"),
}
BROKEN = "c1"


def main(point: str) -> None:
    django.setup()
    from django_tenants.utils import tenant_context  # noqa: PLC0415

    from apps.invoices.services import close_batch, close_periods  # noqa: PLC0415
    from apps.tenants.models import Tenant  # noqa: PLC0415

    modules = {"close_batch": close_batch, "close_periods": close_periods}
    close_periods.BATCH = BATCH
    refuse_broken(close_batch)
    if point in POINTS:
        module, name, call, when = POINTS[point]
        kill_at(modules[module], name, call, when)
    with tenant_context(Tenant.objects.get(slug="acme")):
        close_periods.close_due_periods(NOW)


def kill_at(module: Any, name: str, call: int, when: str) -> None:
    original: Callable[..., Any] = getattr(module, name)
    calls = 0

    def wrapped(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        answer = original(*arguments, **named)
        if calls == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    setattr(module, name, wrapped)


def refuse_broken(close_batch: Any) -> None:
    """One of the customers can't be billed, whoever tries."""
    from apps.rating import RatingError  # noqa: PLC0415

    original = close_batch.compute_invoices

    def compute(asked: Any, **named: Any) -> Any:
        if any(one.subscription.customer.external_id == BROKEN for one in asked):
            raise RatingError.of("invalid_fraction", "for the test")
        return original(asked, **named)

    close_batch.compute_invoices = compute


if __name__ == "__main__":
    main(sys.argv[1])
