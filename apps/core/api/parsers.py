"""Bodies are JSON, optionally gzip-compressed, and no larger than the limit, also after decompression."""

import io
import json
import zlib
from decimal import Decimal, InvalidOperation
from http import HTTPStatus
from typing import Any

import msgspec
from django.conf import settings
from rest_framework.parsers import BaseParser

from apps.core.errors import Invalid, Refused

MAX_INT_DIGITS = 4300  # the limit of int(), and of msgspec
MAX_GZIP_MEMBERS = 16
MAX_DEPTH = 64
OUT_OF_RANGE = Decimal("Infinity")


def number(text: str) -> Decimal:
    """Numbers become `Decimal`: no float may touch a quantity on its way in.

    An exponent that even `Decimal` can't hold gives an infinity, which nothing further on accepts as a number.
    """
    try:
        return Decimal(text)
    except InvalidOperation:
        return OUT_OF_RANGE


def integer(text: str) -> int | Decimal:
    """As msgspec reads it, so that the content of an event does not depend on what else is in its batch."""
    return int(text) if len(text) <= MAX_INT_DIGITS else number(text)


_decoder = msgspec.json.Decoder(float_hook=number)


def decode_json(body: bytes) -> Any:
    """Decode JSON text; fractions as `Decimal`. Raises `Invalid` invalid_json.

    msgspec is strict about two things that are JSON all the same, integers of thousands of digits and
    unpaired surrogates. One such value must not sink the rest of a batch, so the slower decoder of the
    standard library has the last word.
    """
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return json.loads(body, parse_float=number, parse_int=integer, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise Invalid("invalid_json", f"The body is not valid JSON: {error}") from error


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


class TooLarge(Refused):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def read_body(stream: Any, *, encoding: str, limit: int) -> bytes:
    """Read at most `limit` bytes, then undo gzip with the same limit on what comes out.

    Raises `TooLarge` (413), `Invalid` invalid_encoding (400). The decompressor is asked for one byte more
    than allowed, so that a bomb of a few kilobytes never unfolds in memory.
    """
    raw = stream.read(limit + 1)
    if len(raw) > limit:
        raise TooLarge("payload_too_large", f"The body is larger than {limit} bytes; send smaller batches.")
    if encoding in ("", "identity"):
        return raw
    if encoding != "gzip":
        raise Invalid("invalid_encoding", f"Content-Encoding {encoding!r} is not known; use gzip or none.")
    # The body may be several gzip members one after the other (RFC 1952, section 2.2).
    out = io.BytesIO()
    members = 0
    while raw:
        members += 1
        if members > MAX_GZIP_MEMBERS:
            raise Invalid("invalid_encoding", f"The gzip body has more than {MAX_GZIP_MEMBERS} members.")
        member = zlib.decompressobj(wbits=31)
        try:
            out.write(member.decompress(raw, limit + 1 - out.tell()))
        except zlib.error as error:
            raise Invalid("invalid_encoding", "The body is announced as gzip but is not.") from error
        if out.tell() > limit:
            raise TooLarge(
                "payload_too_large", f"The body unpacks to more than {limit} bytes; send smaller batches."
            )
        if not member.eof:
            raise Invalid("invalid_encoding", "The gzip body ends too early.")
        raw = member.unused_data
    return out.getvalue()


class StrictJSONParser(BaseParser):
    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        request = (parser_context or {})["request"]
        body = read_body(
            stream,
            encoding=request.headers.get("Content-Encoding", "").strip().lower(),
            limit=settings.INGESTION_MAX_BYTES,
        )
        decoded = decode_json(body)
        refuse_depth(decoded, MAX_DEPTH)
        return decoded


def refuse_depth(value: Any, left: int) -> None:
    """Whatever walks over the body later may do so by recursion. Raises `Invalid` too_deep."""
    if not isinstance(value, dict | list):
        return
    if left == 0:
        raise Invalid("too_deep", f"The body is nested more than {MAX_DEPTH} levels deep.")
    for inner in value.values() if isinstance(value, dict) else value:
        refuse_depth(inner, left - 1)
