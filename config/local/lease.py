"""Servers that several processes use at once: the first to come starts one, the last to leave stops it.

`make run`, a `manage.py` beside it and a shell share one PostgreSQL. Each holds a shared file lock as long as
it lives; whoever leaves and can then take that lock alone was the last. A killed user loses its lock with its
life, so the dead never keep a server up. Only the server of a killed last user stays, until the next user
comes, finds it healthy, and takes it over.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from config.local import locks


class Server(Protocol):
    """What can be leased. `home` holds its data, its locks and what it remembers of its process."""

    @property
    def home(self) -> Path: ...

    def ensure_running(self) -> None:
        """Return when it answers, whether it ran before or not."""

    def stop(self) -> None:
        """Return when it is gone; nothing to do is fine."""


@contextmanager
def lease(server: Server) -> Iterator[None]:
    """Keep a server running for the duration."""
    with _deciding(server):
        server.ensure_running()
        held = locks.share(_users(server))
    try:
        yield
    finally:
        with _deciding(server):
            os.close(held)
            if _is_unused(server):
                server.stop()


def stop_if_unused(server: Server) -> bool:
    """Stop a server that a killed process left behind. False when somebody uses it."""
    if not server.home.exists():
        return True
    with _deciding(server):
        if not _is_unused(server):
            return False
        server.stop()
        return True


@contextmanager
def _deciding(server: Server) -> Iterator[None]:
    # Start and stop are decided one at a time: between "nobody uses it" and its stop nobody may join.
    with locks.exclusive(server.home / "decide.lock"):
        yield


def _users(server: Server) -> Path:
    return server.home / "users.lock"


def _is_unused(server: Server) -> bool:
    try:
        with locks.exclusive(_users(server), wait=False):
            return True
    except locks.LockedError:
        return False
