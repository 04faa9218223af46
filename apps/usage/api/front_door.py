"""POST /api/v1/events as a plain ASGI application; whatever else is asked goes to the site.

A request that is refused for its key or its host is handed to the site as well, before or after its body was
read: so the rules and the words for it stand in one place. What is decided here only saves the look at the site.
"""

import asyncio
import hashlib
import io
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import msgspec
from django.conf import settings
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.request import split_domain_port, validate_host
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.security import SecurityMiddleware

from apps.access.services.admission import Door
from apps.access.services.api_keys import digest, slug_of
from apps.core import request_context
from apps.core.api.parsers import read_body
from apps.core.api.problems import CONTENT_TYPE, document
from apps.core.errors import Refused
from apps.core.middleware import ACCEPTED
from apps.core.models import random_id
from apps.usage.api.body import Application, Body, Gone, Holder, Message, Receive, Scope, Send
from apps.usage.api.gatherer import Gatherer, new_future
from apps.usage.api.settle import NotAdmitted, Report, broken, is_admitted
from apps.usage.wire import cloudevents, formats
from apps.usage.wire.batch import Batch
from apps.usage.wire.weight import decoded_size

log = logging.getLogger(__name__)

PATH = "/api/v1/events"
# Bodies of more bytes are unpacked and decoded in a thread: other requests need not wait for that.
LARGE = 32 * 1024
LARGE_COMPRESSED = 2 * 1024
DECODERS = 2
# Doors and keys that were good a moment ago. When there are more they are forgotten and looked up again.
KNOWN_AT_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Caller:
    door: Door
    key_hash: bytes


class FrontDoor(Holder):
    """Wrap the ASGI application of the site."""

    def __init__(self, site: Application) -> None:
        super().__init__()
        self.site = site
        self.gatherer = Gatherer()
        self.decoders = ThreadPoolExecutor(DECODERS, thread_name_prefix="decoders")
        self.known: dict[bytes, Caller] = {}
        self.plain_headers = headers_of_every_answer(is_secure=False)
        self.secure_headers = headers_of_every_answer(is_secure=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST":
            return await self.site(scope, receive, send)
        headers: dict[bytes, bytes] = dict(scope["headers"])
        is_odd = len(headers) != len(scope["headers"]) or b"%00" in scope["query_string"]
        if is_odd or (settings.SECURE_SSL_REDIRECT and not is_secure(scope, headers)):
            return await self.site(scope, receive, send)
        request_id = request_id_of(headers)
        body = Body(self, limit=settings.INGESTION_MAX_BYTES)
        try:
            outcome = await self.outcome_of(scope, receive, headers, body, request_id)
        except Refused as refused:
            outcome = refused
        except Gone:
            return None
        except Exception as error:
            log.error("Request %s failed.", request_id, exc_info=error)
            outcome = broken()
        finally:
            body.release()
        if isinstance(outcome, NotAdmitted):
            return await self.site(scope, again(body.raw, receive) if body.is_read else receive, send)
        always = self.secure_headers if is_secure(scope, headers) else self.plain_headers
        return await respond(send, outcome, request_id, always)

    async def outcome_of(
        self, scope: Scope, receive: Receive, headers: Mapping[bytes, bytes], body: Body, request_id: str
    ) -> bytes | Refused | NotAdmitted:
        caller = await self.recognise(headers)
        if caller is None:
            return NotAdmitted()
        await body.read(receive, headers, caller.door)
        batch = await self.decoded(body, headers)
        report = Report(caller.key_hash, batch, wants_all(scope), request_id, new_future())
        await self.gatherer.submit(caller.door, report)
        assert report.outcome is not None
        if isinstance(report.outcome, NotAdmitted):
            self.known.clear()
        return report.outcome

    async def recognise(self, headers: Mapping[bytes, bytes]) -> Caller | None:
        """Who calls, when the key was good a moment ago or is good now. The group's thread has the last word."""
        host, authorization = headers.get(b"host", b""), headers.get(b"authorization", b"")
        name = hashlib.sha256(host + b"\n" + authorization).digest()
        caller = self.known.get(name)
        if caller is None:
            caller = caller_of(host.decode("latin-1"), authorization.decode("latin-1"))
            if caller is None:
                return None
            loop = asyncio.get_running_loop()
            if not await loop.run_in_executor(self.gatherer.pool, is_admitted, caller.door, caller.key_hash):
                return None
            if len(self.known) >= KNOWN_AT_MOST:
                self.known.clear()
            self.known[name] = caller
        return caller

    async def decoded(self, body: Body, headers: Mapping[bytes, bytes]) -> Batch:
        raw = body.raw
        if len(raw) <= (LARGE_COMPRESSED if b"content-encoding" in headers else LARGE):
            batch, size = decode(raw, headers)
        else:
            loop = asyncio.get_running_loop()
            batch, size = await loop.run_in_executor(self.decoders, decode, raw, headers)
        # Only now is it known. No more than the decoders and the loop have in hand was not counted before.
        body.hold(size)
        return batch


def caller_of(host: str, authorization: str) -> Caller | None:
    """Read host and key as the site does; None when it would refuse them."""
    domain, _ = split_domain_port(host)
    if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
        return None
    scheme, _, key = authorization.partition(" ")
    key = key.strip()
    slug = slug_of(key) if scheme.lower() == "bearer" else None
    return Caller(Door(domain, slug), digest(key)) if slug else None


def decode(raw: bytes, headers: Mapping[bytes, bytes]) -> tuple[Batch, int]:
    """The events of a body, and what they take."""
    encoding = headers.get(b"content-encoding", b"").decode("latin-1").strip().lower()
    if encoding:
        raw = read_body(io.BytesIO(raw), encoding=encoding, limit=settings.INGESTION_MAX_BYTES)
    attributes = {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in headers.items()
        if name.startswith(cloudevents.PREFIX.encode())
    }
    content_type = headers.get(b"content-type", b"").decode("latin-1")
    return formats.read(raw, content_type=content_type, attributes=attributes), decoded_size(raw)


def wants_all(scope: Scope) -> bool:
    query = scope["query_string"]
    return bool(query) and QueryDict(query).get("results") == "all"


def is_secure(scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
    if settings.SECURE_PROXY_SSL_HEADER is None:
        return bool(scope["scheme"] == "https")
    name, value = settings.SECURE_PROXY_SSL_HEADER
    header = name.removeprefix("HTTP_").replace("_", "-").lower().encode()
    found = headers.get(header, b"").decode("latin-1").split(",", 1)[0].strip()
    return bool(found == value) if found else bool(scope["scheme"] == "https")


def headers_of_every_answer(*, is_secure: bool) -> list[tuple[bytes, bytes]]:
    """What Django's middleware adds to whatever the site answers."""
    request = HttpRequest()
    request._get_scheme = lambda: "https" if is_secure else "http"  # type: ignore[attr-defined]
    response = HttpResponse()
    del response["Content-Type"]
    SecurityMiddleware(lambda _: response).process_response(request, response)
    XFrameOptionsMiddleware(lambda _: response).process_response(request, response)
    return [(name.lower().encode(), value.encode()) for name, value in response.items()]


def again(raw: bytes, receive: Receive) -> Receive:
    """A body that was read already, for the next to read."""
    is_told = False

    async def told() -> Message:
        nonlocal is_told
        if is_told:
            return await receive()
        is_told = True
        return {"type": "http.request", "body": raw, "more_body": False}

    return told


def request_id_of(headers: Mapping[bytes, bytes]) -> str:
    given = headers.get(b"x-request-id", b"").decode("latin-1")
    return given if ACCEPTED.fullmatch(given) else random_id("req")


async def refuse(scope: Scope, refused: Refused, send: Send) -> None:
    """Answer in place of the site."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    always = headers_of_every_answer(is_secure=is_secure(scope, headers))
    await respond(send, refused, request_id_of(headers), always)


async def respond(
    send: Send, outcome: bytes | Refused, request_id: str, always: list[tuple[bytes, bytes]]
) -> None:
    if isinstance(outcome, Refused):
        status, body = int(outcome.status), problem(outcome, request_id)
        headers = [(b"content-type", CONTENT_TYPE.encode())]
        headers += [(name.lower().encode(), value.encode()) for name, value in outcome.headers.items()]
    else:
        status, body, headers = 200, outcome, [(b"content-type", b"application/json")]
    headers += [(b"content-length", b"%d" % len(body)), (b"x-request-id", request_id.encode()), *always]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def problem(refused: Refused, request_id: str) -> bytes:
    with request_context.entered(request_id=request_id):
        return msgspec.json.encode(
            document(
                status=refused.status,
                code=refused.code,
                detail=refused.message,
                param=refused.param,
                errors=refused.errors,
            )
        )
