"""CloudEvents 1.0 over HTTP: structured, batched and binary.

id, source, type, subject, time and data become id, source, event, customer, timestamp and properties. Extension
attributes are not kept: tracing writes them anew for each attempt, and a retry would contradict what it repeats.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from apps.core.api.parsers import decode_json
from apps.core.errors import Invalid
from apps.usage.wire.batch import Batch, Dialect, Unreadable, refuse_count
from apps.usage.wire.event import WireEvent

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"
# In binary mode attributes are headers of this prefix; whoever sends this one sends a CloudEvent.
PREFIX = "ce-"
MARK = "ce-specversion"
SPECVERSION = "1.0"
NAMES = {"event": "type", "customer": "subject", "timestamp": "time", "properties": "data"}
ONE = Dialect("", NAMES)
MANY = Dialect("/{index}", NAMES)


class _Refusal(Exception):
    def __init__(self, code: str, param: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.param = param
        self.message = message


def structured(body: bytes) -> Batch:
    decoded = decode_json(body)
    if not isinstance(decoded, dict):
        raise Invalid("invalid_body", f"A body of {STRUCTURED} is one JSON object.")
    return batch_of([decoded], ONE)


def batched(body: bytes) -> Batch:
    decoded = decode_json(body)
    if not isinstance(decoded, list):
        raise Invalid("invalid_body", f"A body of {BATCHED} is a JSON array of events.")
    return batch_of(decoded, MANY)


def binary(body: bytes, attributes: Mapping[str, str]) -> Batch:
    """The body is the data alone; values of headers are percent-encoded (HTTP binding, section 3.1.3.2)."""
    event: dict[str, Any] = {name.removeprefix(PREFIX): unquote(text) for name, text in attributes.items()}
    if body:
        event["data"] = decode_json(body)
    return batch_of([event], ONE)


def batch_of(decoded: list[Any], dialect: Dialect) -> Batch:
    refuse_count(len(decoded))
    batch = Batch([], dialect=dialect)
    for index, raw in enumerate(decoded):
        try:
            batch.events.append(native(raw))
        except _Refusal as refusal:
            given = raw.get("id") if isinstance(raw, dict) else None
            event_id = given if isinstance(given, str) else None
            batch.unreadable.append(Unreadable(index, event_id, refusal.code, refusal.param, refusal.message))
    return batch


def native(raw: Any) -> WireEvent | dict[str, Any]:
    """What the attributes hold is ingestion's to judge, once they are known to be the right ones."""
    if not isinstance(raw, dict):
        raise _Refusal("invalid_event", "", "An event is a JSON object.")
    if raw.get("specversion") != SPECVERSION:
        raise _Refusal("unsupported_specversion", "/specversion", f"specversion is {SPECVERSION!r}.")
    if raw.get("source") in (None, ""):
        raise _Refusal("missing_source", "/source", "source is missing.")
    if raw.get("data_base64") is not None:
        raise _Refusal("data_base64_not_supported", "/data_base64", "Send the data as JSON, in data.")
    content = raw.get("datacontenttype")
    if content is not None and not is_json(content):
        raise _Refusal("unsupported_datacontenttype", "/datacontenttype", "The data of an event is JSON.")
    data = raw.get("data")
    if data is not None and not isinstance(data, dict):
        raise _Refusal("invalid_data", "/data", "data is a JSON object.")
    texts = [raw.get(name) for name in ("id", "type", "subject", "source")]
    time = raw.get("time")
    if all(type(text) is str for text in texts) and (time is None or type(time) is str):
        event_id, event, customer, source = texts
        return WireEvent(event_id, event, customer, time, source, data)  # type: ignore[arg-type]
    names = ("id", "event", "customer", "source", "timestamp", "properties")
    return dict(zip(names, [*texts, time, data], strict=True))


def is_json(content_type: Any) -> bool:
    if not isinstance(content_type, str):
        return False
    kind = content_type.partition(";")[0].strip().lower()
    return kind in ("application/json", "text/json") or kind.endswith("+json")
