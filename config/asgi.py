"""ASGI entry point: events at the front door, and the WSGI application for everything else, in threads."""

import os
from typing import Any, cast
from urllib.parse import quote_from_bytes, unquote_to_bytes

from a2wsgi import WSGIMiddleware

from config.wsgi import application as wsgi_application

# After config.wsgi, which names the settings and makes Django ready.
from apps.core.errors import Refused  # isort: skip
from apps.usage.api import front_door  # isort: skip
from apps.usage.api.body import Application, Gone, Message, Receive, Scope, Send  # isort: skip
from config.bodies import Bodies, has_body  # isort: skip

THREADS = int(os.environ.get("WEB_THREADS") or 8)
ASCII = bytes(range(0x21, 0x7F)).decode()
BODY = "countinghouse.body"


def as_other_servers_say_it(environ: dict[str, Any], start_response: Any) -> Any:
    """Paths as the bytes that were sent, the body as a file, and its end known also when its length is not."""
    scope = environ["asgi.scope"]
    environ["PATH_INFO"] = unquote_to_bytes(scope["raw_path"]).decode("latin-1")
    environ["wsgi.input"] = scope.get(BODY, environ["wsgi.input"])
    environ["wsgi.input_terminated"] = True
    return wsgi_application(environ, start_response)


class Site:
    """What WSGI would misunderstand is put right first, and a body is complete before a thread sees it."""

    def __init__(self, threads: int) -> None:
        self.threads: Any = WSGIMiddleware(cast(Any, as_other_servers_say_it), workers=threads)
        self.bodies = Bodies()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.threads(scope, receive, send)
        # WSGI has one name for X-Forwarded-Proto and X_Forwarded_Proto, and proxies strip only the first.
        headers = [(name, value) for name, value in scope["headers"] if b"_" not in name]
        query = quote_from_bytes(scope["query_string"], safe=ASCII).encode()
        scope = {**scope, "headers": headers, "query_string": query}
        by_name = dict(headers)
        if not has_body(by_name):
            return await self.threads(scope, nothing, send)
        try:
            async with self.bodies.read(by_name, receive) as body:
                return await self.threads({**scope, BODY: body}, nothing, send)
        except Refused as refused:
            return await front_door.refuse(scope, refused, send)
        except Gone:
            return None


async def nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


application: Application = front_door.FrontDoor(Site(THREADS))
