"""What a body is said to take is what it takes and not much more, for usual events as for the worst there are."""

import json
import tracemalloc
from typing import Any

import pytest

from apps.usage.wire import formats
from apps.usage.wire.weight import decoded_size
from tests.harness.factories import an_event


def body_of(count: int, value: Any, **more: Any) -> bytes:
    events = [{**an_event(f"e{number}", properties={"x": value}), **more} for number in range(count)]
    return json.dumps({"events": events}, separators=(",", ":"), ensure_ascii=False).encode()


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"": value}
    return value


SHAPES: dict[str, bytes] = {
    "usual": body_of(200, "gpt-5"),
    "of many properties": body_of(100, {f"p{number}": "v" for number in range(100)}),
    "of numbers": body_of(200, [0.1] * 200),
    "of integers": body_of(200, [7 * 10**15] * 200),
    "of empty objects": body_of(200, [{}] * 500),
    "of empty lists": body_of(200, [[]] * 500),
    "of small objects": body_of(200, [{"": {}}] * 200),
    "of larger objects": body_of(200, [dict.fromkeys("abcdefghijk", 1)] * 50),
    "nested": body_of(200, nested(300)),
    "of short texts": body_of(200, ["ab"] * 200),
    "of long texts": body_of(200, "a" * 2000),
    "of wide texts": body_of(200, "a" * 2000 + "😀"),
    "escaped": body_of(200, "a" * 2000 + "#").replace(b"#", rb"\ud83d\ude00"),
    "with unknown fields": body_of(200, ["a"], nope=1),
}


@pytest.mark.parametrize("name", SHAPES)
def test_is_enough_and_not_much_too_much(name: str) -> None:
    body = SHAPES[name]
    tracemalloc.start()
    try:
        batch = formats.read(body, content_type="application/json", attributes={})
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert batch.size
    assert taken <= decoded_size(body) <= 6 * taken
