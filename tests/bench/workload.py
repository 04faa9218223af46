"""The events of the benchmark: five properties, two meters each, customers as unequal as they are in life."""

import random
from datetime import UTC, datetime, timedelta

import msgspec

CUSTOMERS = 2_000
HOT = 0
MODELS = ["gpt-5", "gpt-5-mini", "claude-opus", "claude-haiku", "llama-4"]
REGIONS = ["eu", "us", "ap"]
FEATURES = ["chat", "search", "summary", "agent"]
# So many events are not of the last minute but of the last six hours.
LATE_SHARE = 0.05


def customer_name(number: int) -> str:
    return f"customer-{number:04}"


def bodies(*, events: int, batch_size: int, seed: int, customer: int | None = None) -> list[bytes]:
    """Request bodies of `batch_size` events each, ready to be sent, so that the client costs as little as it can.

    One customer in a hundred sends half of the events (a Pareto-like skew), or all are of one `customer`. Ids
    are random, as those of most clients are; times are of the last minute, but for some.
    """
    chance = random.Random(seed)
    now = datetime.now(UTC)
    made = [event(chance, now, customer) for _ in range(events)]
    if batch_size == 1:
        return [msgspec.json.encode(one) for one in made]
    return [
        msgspec.json.encode({"events": made[start : start + batch_size]})
        for start in range(0, events, batch_size)
    ]


def event(chance: random.Random, now: datetime, customer: int | None = None) -> dict[str, object]:
    number = min(int(chance.paretovariate(0.6)) - 1, CUSTOMERS - 1) if customer is None else customer
    span = 6 * 3600 * 1000 if chance.random() < LATE_SHARE else 60 * 1000
    timestamp = now - timedelta(milliseconds=chance.randrange(span))
    return {
        "id": f"{chance.getrandbits(128):032x}",
        "event": "llm.call",
        "customer": customer_name(number),
        "timestamp": timestamp.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "properties": {
            "input_tokens": chance.randrange(1, 8_000),
            "output_tokens": chance.randrange(1, 1_500),
            "model": chance.choice(MODELS),
            "region": chance.choice(REGIONS),
            "feature": chance.choice(FEATURES),
        },
    }


def patterns(*, batches: int, batch_size: int, seed: int) -> list[bytes]:
    """Bodies without timestamps and with `%016x` in the place of each id."""
    chance = random.Random(seed)
    now = datetime.now(UTC)
    made = []
    for _ in range(batches):
        events = [event(chance, now) | {"id": "@", "timestamp": None} for _ in range(batch_size)]
        made.append(msgspec.json.encode({"events": events}).replace(b"%", b"%%").replace(b'"@"', b'"%016x"'))
    return made
