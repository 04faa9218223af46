"""Due jobs: in rank order, and the earliest of them says when the next work is due."""

from datetime import UTC, datetime

import pytest

from apps.core import jobs

NOW = datetime(2026, 2, 1, tzinfo=UTC)
LATER = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """An empty registry, and the names of what has run."""
    monkeypatch.setattr(jobs, "_registered", {})
    done: list[str] = []

    def add(name: str, rank: int, at: datetime | None) -> None:
        def run(now: datetime) -> int:
            done.append(name)
            return len(name)

        jobs.register_due_job(name=name, rank=rank, next_due_at=lambda: at, run=run)

    add("finalize", 20, LATER)
    add("close", 10, NOW)
    add("idle", 30, None)
    return done


def test_run_in_the_order_of_their_ranks(ran: list[str]) -> None:
    assert jobs.run_due_jobs(NOW) == {"close": 5, "finalize": 8, "idle": 4}
    assert ran == ["close", "finalize", "idle"]


def test_one_that_fails_keeps_no_other_from_its_work(ran: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """And the failure is told in the end, the first one of several."""

    def fail(now: datetime) -> int:
        raise ValueError(f"number {len(ran)}")

    for name, rank in (("broken", 1), ("broken too", 99)):
        jobs.register_due_job(name=name, rank=rank, next_due_at=lambda: None, run=fail)
    with pytest.raises(ValueError, match="number 0"):
        jobs.run_due_jobs(NOW)
    assert ran == ["close", "finalize", "idle"]


def test_the_earliest_says_when(ran: list[str]) -> None:
    assert jobs.next_due_at() == NOW


def test_without_work_nothing_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_registered", {})
    assert jobs.next_due_at() is None


def test_the_product_closes_before_it_finalizes() -> None:
    names = [job.name for job in jobs.due_jobs()]
    assert names.index("close_periods") < names.index("finalize_invoices")
