"""`Idempotency-Key` on POST: the same key and the same body get the same answer, and the work is done once.

The record is inserted first and in the transaction of the work. A second request with the key waits on the
unique index until the first has ended: committed, it reads the stored answer; rolled back (an error, a
kill), it does the work itself. Errors are therefore not remembered, and a corrected request may reuse its key.
A deadlock ends the transaction, and the request does its work anew.

Work that is better many short transactions is done in parts: each is recorded in the transaction of its effects, so
that whoever comes after a kill, or at once, goes on behind the parts that are done.
"""

import functools
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec
from django.db import OperationalError, connection, transaction
from psycopg.errors import DeadlockDetected
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock
from apps.core.api.renderers import JSONRenderer
from apps.core.errors import Invalid, Refused
from apps.core.models import IdempotencyRecord

HEADER = "Idempotency-Key"
MAX_LENGTH = 255
DEADLOCK_RETRIES = 3

Handler = Callable[..., Response]
Part = TypeVar("Part")


class KeyReused(Refused):
    status = HTTPStatus.UNPROCESSABLE_ENTITY


class Answered(Exception):
    """Another request with the key came to the end first; it did the same parts."""

    def __init__(self, record: IdempotencyRecord) -> None:
        super().__init__(record.key)
        self.record = record


def idempotent(handler: Handler) -> Handler:
    """Decorate a view's POST handler. Without the header the handler runs as it is."""

    @functools.wraps(handler)
    def once(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        use = use_of(request)
        if use is None:
            return handler(view, request, *args, **kwargs)

        @transaction.atomic
        def work() -> Response:
            if not use.claim():
                return replay(use.record(), use.digest)
            response = handler(view, request, *args, **kwargs)
            use.remember(response)
            return response

        return patiently(work)

    return once


def idempotent_in_parts(handler: Handler) -> Handler:
    """The same for a handler that takes `Parts` behind the request. It gives each piece of work to `parts.once`, in
    the same order for the same body, and must not change anything outside of them.
    """

    @functools.wraps(handler)
    def once(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        use = use_of(request)
        if use is None:
            return handler(view, request, Parts(None), *args, **kwargs)
        found = IdempotencyRecord.objects.filter(api_key_id=use.api_key_id, key=use.key).first()
        if found is not None and (use.differs_from(found) or found.response_status is not None):
            return replay(found, use.digest)
        try:
            response = handler(view, request, Parts(use), *args, **kwargs)
            use.answer(response)
        except Answered as answered:
            return replay(answered.record, use.digest)
        return response

    return once


@dataclass(frozen=True, slots=True)
class Use:
    """One request's use of a key."""

    api_key_id: int
    key: str
    digest: bytes

    def claim(self) -> bool:
        return claim(api_key_id=self.api_key_id, key=self.key, digest=self.digest)

    def record(self) -> IdempotencyRecord:
        return IdempotencyRecord.objects.get(api_key_id=self.api_key_id, key=self.key)

    def locked(self) -> IdempotencyRecord:
        """The record, made if it was not there, for this transaction alone. Raises `KeyReused`."""
        self.claim()
        record = IdempotencyRecord.objects.select_for_update().get(api_key_id=self.api_key_id, key=self.key)
        if self.differs_from(record):
            raise key_reused()
        return record

    @transaction.atomic
    def answer(self, response: Response) -> None:
        """Raises `Answered`."""
        record = self.locked()
        if record.response_status is not None:
            raise Answered(record)
        self.remember(response)

    def differs_from(self, record: IdempotencyRecord) -> bool:
        return bytes(record.request_hash) != self.digest

    def remember(self, response: Response) -> None:
        IdempotencyRecord.objects.filter(api_key_id=self.api_key_id, key=self.key).update(
            response_status=response.status_code, response_body=JSONRenderer().render(response.data)
        )


class Parts:
    """The pieces of one request's work. Until it is answered, the record's body lists what the parts gave."""

    def __init__(self, use: Use | None) -> None:
        self.use = use
        self.number = 0

    def once(self, work: Callable[[], Part]) -> Part:
        """Do it in a transaction of its own, or say what it gave when it was done. It gives what JSON can hold."""
        number = self.number
        self.number += 1
        return patiently(lambda: self.take(number, work))

    @transaction.atomic
    def take(self, number: int, work: Callable[[], Part]) -> Part:
        if self.use is None:
            return work()
        record = self.use.locked()
        if record.response_status is not None:
            raise Answered(record)
        done = msgspec.json.decode(bytes(record.response_body or b"[]"))
        if number < len(done):
            found: Part = done[number]
            return found
        result = work()
        record.response_body = msgspec.json.encode([*done, result])
        record.save(update_fields=["response_body"])
        return result


def use_of(request: Request) -> Use | None:
    """None without the header."""
    key = request.headers.get(HEADER, "")
    if not key:
        return None
    if len(key) > MAX_LENGTH:
        raise Invalid("invalid_idempotency_key", f"{HEADER} is longer than {MAX_LENGTH} characters.")
    return Use(request.auth.pk, key, request_hash(request))


def patiently(work: Callable[[], Part]) -> Part:
    """PostgreSQL ends one of those who wait in a circle; nothing of it is left, so it is done anew."""
    for _ in range(DEADLOCK_RETRIES):
        try:
            return work()
        except OperationalError as error:
            if connection.in_atomic_block or not isinstance(error.__cause__, DeadlockDetected):
                raise
    return work()


def request_hash(request: Request) -> bytes:
    # The standard library's encoder, since it can write down every text that its decoder reads.
    try:
        content = json.dumps(request.data, sort_keys=True, default=str).encode()
    except RecursionError as error:
        raise Invalid("invalid_json", "The body is nested too deeply.") from error
    return hashlib.sha256(b"\0".join([request.path.encode(), content])).digest()


def claim(*, api_key_id: int, key: str, digest: bytes) -> bool:
    """Insert the record. False when it is there already; waits while another transaction holds it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO core_idempotencyrecord (api_key_id, key, request_hash, created_at)"
            " VALUES (%s, %s, %s, %s) ON CONFLICT (api_key_id, key) DO NOTHING",
            [api_key_id, key, digest, clock.real_now()],
        )
        return bool(cursor.rowcount)


def replay(record: IdempotencyRecord, digest: bytes) -> Response:
    if bytes(record.request_hash) != digest:
        raise key_reused()
    body = msgspec.json.decode(bytes(record.response_body or b"null"))
    return Response(body, status=record.response_status, headers={"Idempotent-Replayed": "true"})


def key_reused() -> KeyReused:
    return KeyReused(
        "idempotency_key_reused", f"This {HEADER} was used with another request; take a new one."
    )
