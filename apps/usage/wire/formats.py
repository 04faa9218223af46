"""Which format a body has: its content type says, and for plain JSON its shape."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from apps.core.api.parsers import decode_json
from apps.core.errors import Invalid, Refused
from apps.usage.wire import cloudevents
from apps.usage.wire.batch import Batch, Unreadable, refuse_count
from apps.usage.wire.event import strict_batch, strict_event, strict_lines

NDJSON = "application/x-ndjson"
# What clients say of JSON that were not told what it is: `curl -d`, beacons of browsers, nothing at all.
JSON = frozenset({"", "application/json", "text/json", "text/plain", "application/x-www-form-urlencoded"})


class UnknownFormat(Refused):
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


def read(body: bytes, *, content_type: str, attributes: Mapping[str, str]) -> Batch:
    """Take the events out of an unpacked body. `attributes` are the headers of a CloudEvent in binary mode.

    Raises `Invalid` invalid_json and invalid_body, `TooLarge` too_many_events, `UnknownFormat`
    unsupported_media_type. What is wrong with a single event is a verdict and raises nothing.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind in JSON:
        batch = cloudevents.binary(body, attributes) if cloudevents.MARK in attributes else native(body)
    elif kind == NDJSON:
        batch = lines(body)
    elif kind == cloudevents.STRUCTURED:
        batch = cloudevents.structured(body)
    elif kind == cloudevents.BATCHED:
        batch = cloudevents.batched(body)
    else:
        known = ", ".join(["application/json", NDJSON, cloudevents.STRUCTURED, cloudevents.BATCHED])
        raise UnknownFormat("unsupported_media_type", f"Events of type {kind!r} are not read; send {known}.")
    refuse_count(batch.size)
    return batch


def native(body: bytes) -> Batch:
    """`{"events": […]}`, or one event alone."""
    events: list[Any] | None = strict_batch(body)
    if events is not None:
        return Batch(events)
    event = strict_event(body)
    if event is not None:
        return Batch([event])
    decoded = decode_json(body) if body else None
    if isinstance(decoded, dict):
        if isinstance(decoded.get("events"), list):
            return Batch(decoded["events"])
        if "events" not in decoded and {"id", "event"} <= decoded.keys():
            return Batch([decoded])
    raise Invalid("invalid_body", 'Send {"events": [ … ]}.', param="/events")


def lines(body: bytes) -> Batch:
    """An event a line. A line that is no JSON is one wrong event and not the end of the others."""
    events = strict_lines(body)
    if events is not None:
        return Batch(list(events))
    batch = Batch([])
    written = [line for line in body.split(b"\n") if line.strip()]
    refuse_count(len(written))
    for index, line in enumerate(written):
        try:
            batch.events.append(strict_event(line) or decode_json(line))
        except Invalid as invalid:
            batch.unreadable.append(
                Unreadable(index, None, invalid.code, "", f"The line is not valid JSON: {invalid.__cause__}")
            )
    return batch
