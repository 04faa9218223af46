"""The body of a request at the front door: read within limits of size and time, and counted while it is held."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from http import HTTPStatus
from typing import Any

from django.conf import settings

from apps.access.services.admission import Door
from apps.core.api.parsers import TooLarge
from apps.core.errors import Refused
from apps.usage.api.settle import Unavailable

# What a request takes beside its body while it waits, with its connection.
OVERHEAD = 16 * 1024
# What requests at one door may take of what a process may hold: the others come in all the same.
SHARE = 2

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Timeout(Refused):
    status = HTTPStatus.REQUEST_TIMEOUT
    headers = {"Connection": "close"}


class Gone(Exception):
    """The client hung up before its body was complete; there is nobody to answer."""


class Holder:
    """What a process holds of requests, in all and by door."""

    def __init__(self) -> None:
        self.held_bytes = 0
        self.held_at: dict[Door, int] = {}


class Body:
    """The bytes of a request, counted while they come in among those of all requests of this process and this door;
    what they become when they are decoded is added to them, until the request is answered."""

    def __init__(self, holder: Holder, *, limit: int) -> None:
        self.holder = holder
        self.limit = limit
        self.door: Door | None = None
        self.held = 0
        self.raw = b""
        self.is_read = False

    async def read(self, receive: Receive, headers: Mapping[bytes, bytes], door: Door) -> None:
        """Raises `TooLarge`, `Unavailable` overloaded, `Timeout` body_timeout, `Gone`."""
        announced = headers.get(b"content-length", b"")
        if announced.isdigit() and len(announced) < 20 and int(announced) > self.limit:
            raise self.too_large()
        self.door = door
        self.hold(OVERHEAD)
        self.is_read = True
        try:
            async with asyncio.timeout(settings.INGESTION_BODY_SECONDS):
                self.raw = await self.read_all(receive)
        except TimeoutError:
            seconds = settings.INGESTION_BODY_SECONDS
            raise Timeout("body_timeout", f"The body was not complete after {seconds} seconds.") from None

    async def read_all(self, receive: Receive) -> bytes:
        parts = []
        size = 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                raise Gone
            part = message.get("body", b"")
            size += len(part)
            if size > self.limit:
                raise self.too_large()
            self.hold(len(part))
            parts.append(part)
            if not message.get("more_body"):
                return b"".join(parts)

    def hold(self, size: int) -> None:
        """Raises `Unavailable` overloaded."""
        assert self.door is not None
        at_door = self.holder.held_at.get(self.door, 0) + size
        self.held += size
        self.holder.held_bytes += size
        self.holder.held_at[self.door] = at_door
        limit = settings.INGESTION_HELD_BYTES
        if self.holder.held_bytes > limit or at_door > limit // SHARE:
            raise Unavailable(
                "overloaded", "More is coming in than can be stored; send it again a little later."
            )

    def release(self) -> None:
        if self.door is None:
            return
        self.holder.held_bytes -= self.held
        at_door = self.holder.held_at.pop(self.door) - self.held
        if at_door:
            self.holder.held_at[self.door] = at_door
        self.held = 0
        self.door = None

    def too_large(self) -> TooLarge:
        return TooLarge(
            "payload_too_large", f"The body is larger than {self.limit} bytes; send smaller batches."
        )
