"""Subscriptions that can't be computed, for a while."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from apps.invoices.services import bill_thresholds, close_batch
from apps.invoices.services.cycles import Asked
from apps.rating import RatingError
from apps.subscriptions.models import Subscription

MESSAGE = "for the test"


@contextmanager
def refusing(
    broken: Subscription, monkeypatch: pytest.MonkeyPatch, error: Exception | None = None
) -> Iterator[None]:
    """Whoever computes `broken` in closing, opening or looking at thresholds gets an error of rating, or another."""
    original = close_batch.compute_invoices

    def refuse(asked: Sequence[Asked], **arguments: Any) -> Any:
        if any(one.subscription.pk == broken.pk for one in asked):
            raise error or RatingError.of("invalid_fraction", MESSAGE)
        return original(asked, **arguments)

    with monkeypatch.context() as patched:
        patched.setattr(close_batch, "compute_invoices", refuse)
        patched.setattr(bill_thresholds, "compute_invoices", refuse)
        yield
