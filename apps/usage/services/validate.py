"""Read one event as it came in. Wrong ones get a code, a pointer and a sentence; nothing is repaired.

Pure functions over decoded JSON: no database, no clock.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from apps.core.text import is_storable
from apps.usage.identity import content_of, event_key
from apps.usage.wire.event import WireEvent

MAX_ID = 255
MAX_NAME = 127
MAX_PROPERTIES = 100
# A clock may run ahead of ours by this much.
MAX_FUTURE = timedelta(minutes=5)
# Nobody metered anything before; years that calendars and time zones can't compute with stay outside.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
# A metered value: below 10^19, with at most 18 decimals (the columns' scale).
MAX_VALUE_EXPONENT = 19
MAX_VALUE = 10**MAX_VALUE_EXPONENT
MAX_VALUE_DECIMALS = 18
# Sign, digits, decimals and an exponent take less; what is longer is looked at no further.
MAX_VALUE_TEXT = 100
# PostgreSQL's jsonb holds numbers up to about 10^131072; what is not metered still has to be stored.
MAX_NUMBER_EXPONENT = 1000

FIELDS = frozenset({"id", "event", "customer", "timestamp", "properties", "source"})
# RFC 3339, section 5.6. Digits beyond microseconds are cut off, not rounded, so that no event moves to the next period.
RFC3339 = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,12}))?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)
NUMERIC = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)

# Values that jsonb holds as they are, unless a text has a NUL (seen escaped) or half a surrogate pair (not encodable).
SIMPLE = frozenset({str, int, bool, type(None)})
ESCAPED_NUL = b"\\u0000"

# "deterministic" sorts the keys: the same content in another order has the same hash.
canonical_json = msgspec.json.Encoder(order="deterministic", decimal_format="number").encode


class Rejection(Exception):
    """This event is malformed. `param` is relative to the event."""

    def __init__(self, code: str, param: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.param = param
        self.message = message


@dataclass(frozen=True, slots=True)
class ParsedEvent:
    """A well-formed event. `micros` are microseconds since 1970, of the time it counts at.

    `revision` is above 0 for an event that takes the place of another with its id, and `key` is that revision's.
    """

    index: int
    key: bytes
    content: int
    source: str
    event_id: str
    event_name: str
    customer: str
    micros: int
    properties: dict[str, Any]
    properties_json: bytes
    revision: int = 0


def parse_event(raw: Any, *, index: int, now: datetime, earliest: datetime) -> ParsedEvent:
    """Raises `Rejection`. `now` stands in for a missing timestamp, and bounds a given one as `earliest` does."""
    if isinstance(raw, WireEvent):
        raw = msgspec.structs.asdict(raw)
    if not isinstance(raw, dict):
        raise Rejection("invalid_event", "", "An event is a JSON object.")
    if not raw.keys() <= FIELDS:
        name = sorted(raw.keys() - FIELDS)[0]
        raise Rejection(
            "unknown_field", f"/{pointer(name)}", f"An event has no field {name!r}; put it under properties."
        )
    event_id = required_text(raw, "id", MAX_ID)
    event_name = required_text(raw, "event", MAX_NAME)
    customer = required_text(raw, "customer", MAX_NAME)
    source = raw.get("source")
    source = "" if source is None else text(source, "source", MAX_ID)
    given = raw.get("timestamp")
    micros = None if given is None else micros_of(parse_timestamp(given, now, earliest))
    properties = raw.get("properties")
    if properties is None:
        properties = {}
    elif not isinstance(properties, dict):
        raise Rejection("invalid_properties", "/properties", "properties is a JSON object.")
    if len(properties) > MAX_PROPERTIES:
        raise Rejection(
            "too_many_properties", "/properties", f"An event has at most {MAX_PROPERTIES} properties."
        )
    properties_json = encode_properties(properties)
    return ParsedEvent(
        index=index,
        key=bytes.fromhex(event_key(source=source, event_id=event_id)),
        content=content_of(
            event_name=event_name,
            customer=customer,
            timestamp=micros,
            names=canonical_json(sorted(properties)),
            values=canonical_json([properties[name] for name in sorted(properties)]),
        ),
        source=source,
        event_id=event_id,
        event_name=event_name,
        customer=customer,
        micros=micros_of(now) if micros is None else micros,
        properties=properties,
        properties_json=properties_json,
    )


def micros_of(instant: datetime) -> int:
    return (instant - EPOCH) // MICROSECOND


def instant_of(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def required_text(raw: dict[str, Any], name: str, limit: int) -> str:
    value = raw.get(name)
    if value is None:
        raise Rejection(f"missing_{name}", f"/{name}", f"{name} is missing.")
    found = text(value, name, limit)
    if not found:
        raise Rejection(f"invalid_{name}", f"/{name}", f"{name} is empty.")
    return found


def text(value: Any, name: str, limit: int) -> str:
    if not isinstance(value, str):
        raise Rejection(f"invalid_{name}", f"/{name}", f"{name} is a string.")
    if len(value) > limit:
        raise Rejection(f"invalid_{name}", f"/{name}", f"{name} is longer than {limit} characters.")
    if not is_storable(value):
        raise Rejection(f"invalid_{name}", f"/{name}", f"{name} holds a NUL or half of a surrogate pair.")
    return value


def parse_timestamp(value: Any, now: datetime, earliest: datetime) -> datetime:
    found = RFC3339.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise Rejection(
            "invalid_timestamp",
            "/timestamp",
            "timestamp is RFC 3339 with an offset, like 2026-11-20T10:00:00.5Z.",
        )
    date, time, fraction, offset = found.groups()
    micros = (fraction or "")[:6].ljust(6, "0")
    try:
        instant = datetime.fromisoformat(
            f"{date}T{time}.{micros}{'+00:00' if offset in 'Zz' else offset}"
        ).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Rejection("invalid_timestamp", "/timestamp", f"There is no such instant: {error}.") from error
    if instant < earliest:
        raise Rejection(
            "timestamp_too_old",
            "/timestamp",
            f"The timestamp lies before {earliest.isoformat()}, the oldest that is taken; report older events"
            " through a backfill.",
        )
    if instant > now + MAX_FUTURE:
        raise Rejection(
            "timestamp_in_future",
            "/timestamp",
            f"The timestamp is more than 5 minutes after now ({now.isoformat()}).",
        )
    return instant


def encode_properties(properties: dict[str, Any]) -> bytes:
    """Canonical JSON of what jsonb can hold. The look at each value is needed only where something is unusual."""
    plain = all(type(value) in SIMPLE for value in properties.values())
    try:
        try:
            encoded = canonical_json(properties)
        except UnicodeEncodeError:
            encoded = b""
        if not plain or not encoded or ESCAPED_NUL in encoded:
            check_storable(properties, "/properties")
    except RecursionError as error:
        raise Rejection(
            "nested_too_deeply", "/properties", "The properties are nested too deeply."
        ) from error
    return encoded


def check_storable(value: Any, at: str) -> None:
    """Refuse what jsonb can't hold, with a pointer to it."""
    if isinstance(value, str):
        if not is_storable(value):
            raise Rejection("invalid_string", at, "The text holds a NUL or half of a surrogate pair.")
    elif isinstance(value, dict):
        for name, inner in value.items():
            here = f"{at}/{pointer(name)}"
            check_storable(name, here)
            check_storable(inner, here)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            check_storable(inner, f"{at}/{index}")
    elif isinstance(value, Decimal) and (
        not value.is_finite()
        or abs(value.adjusted()) > MAX_NUMBER_EXPONENT
        or len(value.as_tuple().digits) > MAX_NUMBER_EXPONENT
    ):
        raise Rejection("invalid_number", at, "The number is out of range.")


def metered_value(value: Any, name: str) -> Decimal | None:
    """Read a property that a meter sums: a number or a numeric string. None when it is absent (or null).

    Raises `Rejection` invalid_value, negative_value, value_out_of_range.
    """
    if value is None:
        return None
    if type(value) is int and 0 <= value < MAX_VALUE:
        return Decimal(value)
    at = f"/properties/{pointer(name)}"
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise Rejection("invalid_value", at, f"{name} is metered: send a number or a numeric string.")
    if isinstance(value, str) and len(value) > MAX_VALUE_TEXT:
        raise Rejection(
            "value_out_of_range", at, f"{name} is metered: a number has at most {MAX_VALUE_TEXT} characters."
        )
    if isinstance(value, str) and not NUMERIC.fullmatch(value):
        raise Rejection("invalid_value", at, f"{name} is metered and {value[:40]!r} is no number.")
    try:
        number = Decimal(value)
    except InvalidOperation as error:
        raise Rejection(
            "invalid_value", at, f"{name} is metered: send a number or a numeric string."
        ) from error
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)  # NaN and infinities can't come from JSON or from NUMERIC
    # A zero has decimals as well, and PostgreSQL takes not any number of them.
    if (number and number.adjusted() >= MAX_VALUE_EXPONENT) or exponent < -MAX_VALUE_DECIMALS:
        raise Rejection(
            "value_out_of_range", at, f"{name} is metered: below 10^19 and with at most 18 decimals."
        )
    if number < 0:
        raise Rejection("negative_value", at, f"{name} is metered and can't be negative.")
    return number


def pointer(name: str) -> str:
    """Escape one step of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")[:100]
