"""Workers and requests that die, and errors that nobody foresaw."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest

from apps.invoices.services import close_batch, close_periods, finalize_invoice
from apps.usage.services import ingest, rollups


class Killed(BaseException):
    """The process is gone: nobody catches it, and what was not committed is rolled back."""


class Broken(RuntimeError):
    """An error of ours, as nobody foresaw it."""


@contextmanager
def failing_after(module: ModuleType, name: str, error: BaseException, *, call: int = 1) -> Iterator[None]:
    """One call of a function does its work, and then everything around it fails."""
    original: Callable[..., Any] = getattr(module, name)
    calls = 0

    def wrapped(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        answer = original(*arguments, **named)
        if calls == call:
            raise error
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, name, wrapped)
        yield


# Where a worker or a request dies, after what it has written there.
CLOSING_POINTS = [
    (close_batch, "store_invoices"), (close_batch, "store_lines"), (close_batch, "move_cursors"),
    (close_periods, "note_billed"), (close_periods, "bill_next"),
]  # fmt: skip
FINALIZING_POINTS = [
    (finalize_invoice, "write_anew"), (finalize_invoice, "next_number"), (finalize_invoice, "record"),
]  # fmt: skip
INGESTING_POINTS = [(ingest.store, "insert_columns"), (rollups, "add_together"), (ingest.health, "count")]
