"""`Idempotency-Key` on POST: the same key and the same body get the same answer, and the work is done once.

The record is inserted first and in the transaction of the work. A second request with the key waits on the
unique index until the first has ended: committed, it reads the stored answer; rolled back (an error, a
kill), it does the work itself. Errors are therefore not remembered, and a corrected request may reuse its key.
"""

import functools
import hashlib
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import msgspec
from django.db import connection, transaction
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock
from apps.core.api.renderers import JSONRenderer
from apps.core.errors import Invalid, Refused
from apps.core.models import IdempotencyRecord

HEADER = "Idempotency-Key"
MAX_LENGTH = 255

Handler = Callable[..., Response]


class KeyReused(Refused):
    status = HTTPStatus.UNPROCESSABLE_ENTITY


def idempotent(handler: Handler) -> Handler:
    """Decorate a view's POST handler. Without the header the handler runs as it is."""

    @functools.wraps(handler)
    def once(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get(HEADER, "")
        if not key:
            return handler(view, request, *args, **kwargs)
        if len(key) > MAX_LENGTH:
            raise Invalid("invalid_idempotency_key", f"{HEADER} is longer than {MAX_LENGTH} characters.")
        api_key_id = request.auth.pk
        digest = request_hash(request)
        with transaction.atomic():
            if not claim(api_key_id=api_key_id, key=key, digest=digest):
                return replay(IdempotencyRecord.objects.get(api_key_id=api_key_id, key=key), digest)
            response = handler(view, request, *args, **kwargs)
            IdempotencyRecord.objects.filter(api_key_id=api_key_id, key=key).update(
                response_status=response.status_code, response_body=JSONRenderer().render(response.data)
            )
            return response

    return once


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
        raise KeyReused(
            "idempotency_key_reused", f"This {HEADER} was used with another request; take a new one."
        )
    body = msgspec.json.decode(bytes(record.response_body or b"null"))
    return Response(body, status=record.response_status, headers={"Idempotent-Replayed": "true"})
