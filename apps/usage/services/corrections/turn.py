"""Corrections take turns, so that of two that contradict each other exactly one wins.

The locks are the tenant's own and last until the end of the transaction. Whoever takes both takes that of
corrections first: somebody who waits for ingestion to pause must not wait for a long correction meanwhile.
"""

from django.db import connection

TAKE_TURN = "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' usage corrections', 0))"
ALONE = "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' usage', 0))"


def take_turn() -> None:
    """Wait until no other correction is under way. Ingestion goes on."""
    run(TAKE_TURN)


def take_turn_alone() -> None:
    """The same, and let no batch of events be under way either: for corrections of a few milliseconds.

    Older batches are committed then, and later ones wait. So totals may be locked in any order.
    """
    run(TAKE_TURN)
    run(ALONE)


def run(statement: str) -> None:
    assert connection.in_atomic_block, "the lock lasts as long as the transaction"
    with connection.cursor() as cursor:
        cursor.execute(statement)
