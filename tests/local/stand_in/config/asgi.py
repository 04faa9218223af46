"""Stands in for the site: healthy at once, and fatally ill when asked."""

import os
from collections.abc import Awaitable, Callable
from typing import Any


async def application(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    if scope["path"] == "/die":
        os.kill(os.getppid(), 9)  # the web server's master, as the out-of-memory killer would
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": b"well"})
