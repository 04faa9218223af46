"""Bodies of requests to the site, read completely in the event loop before a thread is taken.

A thread that waits for a client does nothing else, and there are few of them: some connections that announce a body
and send none would stop the site. Here who is slow costs a coroutine, and is given up after a while. Large bodies,
which are files that staff upload, lie in a temporary file; the limits of the views hold as before.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import IO

from django.conf import settings

from apps.core.api.parsers import TooLarge
from apps.usage.api.body import Gone, Receive, Timeout
from apps.usage.api.settle import Unavailable

# What a body takes of memory; beyond it lies in a file.
IN_MEMORY = 64 * 1024
UPLOAD = b"multipart/form-data"


class TooLargeToRead(TooLarge):
    # What is still to come of the body is not waited for.
    headers = {"Connection": "close"}


@dataclass(frozen=True, slots=True)
class Patience:
    """How large a body may be, and how long it may take: between two pieces, and in all."""

    size: int
    pause: int
    seconds: int

    @classmethod
    def of(cls, headers: Mapping[bytes, bytes]) -> "Patience":
        """Browsers announce the length of a form with files."""
        pause = settings.INGESTION_BODY_SECONDS
        content_type = headers.get(b"content-type", b"").strip().lower()
        if content_type.startswith(UPLOAD) and b"content-length" in headers:
            return cls(settings.WEB_UPLOAD_BYTES, pause, max(pause, settings.WEB_UPLOAD_SECONDS))
        return cls(settings.DATA_UPLOAD_MAX_MEMORY_SIZE, pause, pause)


class Bodies:
    """All bodies of a process that are being read, or that a thread works on: together they have a limit, too."""

    def __init__(self) -> None:
        self.held_bytes = 0

    @asynccontextmanager
    async def read(self, headers: Mapping[bytes, bytes], receive: Receive) -> AsyncIterator[IO[bytes]]:
        """The whole body, from its beginning. Raises `TooLarge`, `Timeout`, `Unavailable` and `Gone`."""
        patience = Patience.of(headers)
        announced = headers.get(b"content-length", b"")
        if announced.isdigit() and len(announced) < 20 and int(announced) > patience.size:
            raise too_large(patience.size)
        held = 0
        with SpooledTemporaryFile(IN_MEMORY) as body:
            try:
                async for part in parts_of(receive, patience):
                    held += len(part)
                    self.held_bytes += len(part)
                    if held > patience.size:
                        raise too_large(patience.size)
                    if self.held_bytes > settings.WEB_HELD_BYTES:
                        raise Unavailable(
                            "overloaded", "More is coming in than can be held; try a little later."
                        )
                    body.write(part)
                body.seek(0)
                yield body
            finally:
                self.held_bytes -= held


async def parts_of(receive: Receive, patience: Patience) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + patience.seconds
    is_complete = False
    while not is_complete:
        try:
            async with asyncio.timeout_at(min(ends_at, loop.time() + patience.pause)):
                message = await receive()
        except TimeoutError:
            raise Timeout("body_timeout", "The body was not complete in time.") from None
        if message["type"] != "http.request":
            raise Gone
        is_complete = not message.get("more_body")
        yield message.get("body", b"")


def has_body(headers: Mapping[bytes, bytes]) -> bool:
    """RFC 9112, section 6.3: a request without either of these fields has none."""
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0").strip(b"0") != b""


def too_large(limit: int) -> TooLargeToRead:
    return TooLargeToRead("payload_too_large", f"The body is larger than {limit} bytes.")
