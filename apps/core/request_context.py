"""What is known of the request or task being served: its id and who acts. Read by audit, problems and logs."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class RequestContext:
    request_id: str = ""
    actor_kind: str = "system"
    actor: str = ""


NOBODY = RequestContext()
_current: ContextVar[RequestContext] = ContextVar("request_context", default=NOBODY)


def current() -> RequestContext:
    return _current.get()


@contextmanager
def entered(**changes: str) -> Iterator[None]:
    token = _current.set(replace(_current.get(), **changes))
    try:
        yield
    finally:
        _current.reset(token)


def set_actor(*, kind: str, actor: str) -> None:
    """Name who acts for the rest of this request; the surrounding `entered` block forgets it again."""
    _current.set(replace(_current.get(), actor_kind=kind, actor=actor))
