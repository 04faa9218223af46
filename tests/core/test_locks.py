"""Session locks: for one at a time, freed with the connection."""

from threading import Event

from django.db import connection

from apps.core.locks import session_lock
from apps.tenants.models import Tenant
from tests.concurrency.together import returned, together


def test_is_held_by_one_at_a_time(fresh_database: str, acme: Tenant) -> None:
    held, tried = Event(), Event()

    def first() -> bool:
        with session_lock("a") as is_held:
            held.set()
            tried.wait(10)
            return is_held

    def second() -> tuple[bool, bool]:
        held.wait(10)
        with session_lock("a") as same, session_lock("b") as other:
            tried.set()
            return same, other

    assert returned(together(acme, [first, second])) == [True, (False, True)]
    with session_lock("a") as is_held:
        assert is_held


def test_is_freed_by_an_error(fresh_database: str, acme: Tenant) -> None:
    def fails() -> None:
        with session_lock("a"):
            raise ValueError

    assert [type(one) for one in together(acme, [fails])] == [ValueError]
    with session_lock("a") as is_held:
        assert is_held


def test_outlives_the_connections_of_the_work(fresh_database: str, acme: Tenant) -> None:
    """Migrations close theirs; the lock must not fall with it."""
    with session_lock("a") as is_held:
        assert is_held
        connection.close()
        with session_lock("a") as again:
            assert not again
