"""A usage event as it is sent, and the strict decoding that takes whole batches at once.

Strict decoding either takes a body completely or refuses it completely. What it refuses is decoded again into
plain values, which may hold anything: the verdicts on single events are then ingestion's.
"""

from typing import Any

import msgspec

from apps.core.api.parsers import number


class WireEvent(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    id: str
    event: str
    customer: str
    timestamp: str | None = None
    source: str | None = None
    properties: dict[str, Any] | None = None


class Envelope(msgspec.Struct):
    """`{"events": […]}`; other names beside it are not looked at."""

    events: list[WireEvent]


_envelopes = msgspec.json.Decoder(Envelope, float_hook=number)
_events = msgspec.json.Decoder(WireEvent, float_hook=number)
# What msgspec raises at what it does not take: JSON that is none, other types, other encodings, too deep.
REFUSALS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def strict_batch(body: bytes) -> list[WireEvent] | None:
    """The events of `{"events": […]}`, or None when it is anything else."""
    try:
        return _envelopes.decode(body).events
    except REFUSALS:
        return None


def strict_event(body: bytes) -> WireEvent | None:
    try:
        return _events.decode(body)
    except REFUSALS:
        return None


def strict_lines(body: bytes) -> list[WireEvent] | None:
    try:
        return _events.decode_lines(body)
    except REFUSALS:
        return None
