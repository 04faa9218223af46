"""ASGI entry point: events at the front door, and the WSGI application for everything else, in threads."""

import os
from typing import Any, cast
from urllib.parse import quote_from_bytes, unquote_to_bytes

from a2wsgi import WSGIMiddleware

from config.wsgi import application as wsgi_application

# After config.wsgi, which names the settings and makes Django ready.
from apps.usage.api.front_door import Application, FrontDoor, Message, Receive, Scope, Send  # isort: skip

THREADS = int(os.environ.get("WEB_THREADS") or 8)
ASCII = bytes(range(0x21, 0x7F)).decode()


def as_other_servers_say_it(environ: dict[str, Any], start_response: Any) -> Any:
    """Paths as the bytes that were sent, and the end of a body known also when its length is not."""
    environ["PATH_INFO"] = unquote_to_bytes(environ["asgi.scope"]["raw_path"]).decode("latin-1")
    environ["wsgi.input_terminated"] = True
    return wsgi_application(environ, start_response)


class Site:
    """What WSGI would misunderstand is put right first."""

    def __init__(self, threads: int) -> None:
        self.threads: Any = WSGIMiddleware(cast(Any, as_other_servers_say_it), workers=threads)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            # WSGI has one name for X-Forwarded-Proto and X_Forwarded_Proto, and proxies strip only the first.
            headers = [(name, value) for name, value in scope["headers"] if b"_" not in name]
            query = quote_from_bytes(scope["query_string"], safe=ASCII).encode()
            scope = {**scope, "headers": headers, "query_string": query}
        await self.threads(scope, complete(receive), send)


def complete(receive: Receive) -> Receive:
    """Who hangs up in the middle of a body has not sent a short one."""

    async def received() -> Message:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError("The client hung up.")
        return message

    return received


application: Application = FrontDoor(Site(THREADS))
