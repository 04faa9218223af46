"""Stands in for the site: healthy at once, and fatally ill when asked."""

import os
from collections.abc import Callable, Iterable
from typing import Any


def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/die":
        os.kill(os.getppid(), 9)  # the web server's master, as the out-of-memory killer would
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"well"]
