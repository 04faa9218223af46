"""Bodies are complete before a thread sees them, within limits of size and time, and each is let go again."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import LazySettings

from apps.core.errors import Refused
from apps.usage.api.body import Gone
from config.bodies import IN_MEMORY, Bodies

FORM = {b"content-type": b"multipart/form-data; boundary=x", b"content-length": b"1000000"}
Parts = list[bytes | float | None]


def read(parts: Parts, headers: dict[bytes, bytes], bodies: Bodies) -> tuple[bytes, bool, int]:
    """The body, whether it lay in a file, and what was held. A number is a pause, None is a client who hangs up."""

    async def receive() -> dict[str, Any]:
        part = parts.pop(0)
        while isinstance(part, float):
            await asyncio.sleep(part)
            part = parts.pop(0)
        if part is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def run() -> tuple[bytes, bool, int]:
        async with bodies.read(headers, receive) as body:
            return body.read(), bool(body._rolled), bodies.held_bytes  # type: ignore[attr-defined]

    return asyncio.run(run())


@pytest.fixture
def bodies(settings: LazySettings) -> Bodies:
    settings.INGESTION_BODY_SECONDS = 0.2
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    settings.WEB_UPLOAD_BYTES = 1_000_000
    settings.WEB_UPLOAD_SECONDS = 1
    settings.WEB_HELD_BYTES = 1_500_000
    return Bodies()


@pytest.mark.parametrize(
    ("parts", "headers", "is_file"),
    [
        ([b""], {}, False),
        ([b"ab", b"", b"c"], {b"content-length": b"3"}, False),
        ([b"x" * 100], {b"transfer-encoding": b"chunked"}, False),
        ([b"x" * IN_MEMORY], FORM, False),
        ([b"ab" * IN_MEMORY, 0.1, b"c", 0.1, b"d"], FORM, True),
    ],
    ids=["empty", "pieces", "chunks", "small file", "file"],
)
def test_arrive_whole(bodies: Bodies, parts: Parts, headers: dict[bytes, bytes], is_file: bool) -> None:
    whole = b"".join(part for part in parts if isinstance(part, bytes))
    assert read(parts, headers, bodies) == (whole, is_file, len(whole))
    assert bodies.held_bytes == 0


@pytest.mark.parametrize(
    ("make", "headers", "code"),
    [
        (lambda: [b"x" * 60, b"x" * 60], {b"transfer-encoding": b"chunked"}, "payload_too_large"),
        (list, {b"content-length": b"101"}, "payload_too_large"),
        (list, {**FORM, b"content-length": b"1000001"}, "payload_too_large"),
        (lambda: [b"x" * 101], {b"content-type": FORM[b"content-type"]}, "payload_too_large"),
        (lambda: [5.0, b"x"], {b"content-length": b"1"}, "body_timeout"),
        (lambda: [b"x", 0.15, b"x", 0.15, b"x"], {b"content-length": b"3"}, "body_timeout"),
        (lambda: [b"x", 5.0, b"x"], FORM, "body_timeout"),
        (lambda: [0.15, b"x"] * 10, FORM, "body_timeout"),
    ],
    ids=["chunks", "announced", "file", "chunked file", "nothing", "slow", "pause in file", "slow file"],
)
def test_are_given_up(
    bodies: Bodies, make: Callable[[], Parts], headers: dict[bytes, bytes], code: str
) -> None:
    with pytest.raises(Refused) as caught:
        read(make(), headers, bodies)
    assert (caught.value.code, caught.value.headers["Connection"]) == (code, "close")
    assert bodies.held_bytes == 0


def test_who_hangs_up_has_not_sent_a_short_one(bodies: Bodies) -> None:
    with pytest.raises(Gone):
        read([b"x", None], {b"content-length": b"2"}, bodies)
    assert bodies.held_bytes == 0


def test_are_bounded_together(bodies: Bodies) -> None:
    bodies.held_bytes = 1_000_000
    with pytest.raises(Refused) as caught:
        read([b"x" * 600_000], FORM, bodies)
    assert (caught.value.code, caught.value.headers["Retry-After"]) == ("overloaded", "1")
    assert bodies.held_bytes == 1_000_000
