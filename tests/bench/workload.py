"""The events of the benchmark: five properties, two meters each, customers as unequal as they are in life."""

import random
from datetime import UTC, datetime, timedelta

import msgspec

CUSTOMERS = 2_000
MODELS = ["gpt-5", "gpt-5-mini", "claude-opus", "claude-haiku", "llama-4"]
REGIONS = ["eu", "us", "ap"]
FEATURES = ["chat", "search", "summary", "agent"]


def customer_name(number: int) -> str:
    return f"customer-{number:04}"


def bodies(*, events: int, batch_size: int, seed: int) -> list[bytes]:
    """Request bodies of `batch_size` events each, ready to be sent, so that the client costs as little as it can.

    One customer in a hundred sends half of the events (a Pareto-like skew); times lie in the last six hours.
    """
    chance = random.Random(seed)
    now = datetime.now(UTC)
    made = [event(seed, index, chance, now) for index in range(events)]
    return [
        msgspec.json.encode({"events": made[start : start + batch_size]})
        for start in range(0, events, batch_size)
    ]


def event(seed: int, index: int, chance: random.Random, now: datetime) -> dict[str, object]:
    number = min(int(chance.paretovariate(0.6)) - 1, CUSTOMERS - 1)
    timestamp = now - timedelta(milliseconds=chance.randrange(6 * 3600 * 1000))
    return {
        "id": f"{seed}-{index}-{chance.randrange(10**9)}",
        "event": "llm.call",
        "customer": customer_name(number),
        "timestamp": timestamp.isoformat(),
        "properties": {
            "input_tokens": chance.randrange(1, 8_000),
            "output_tokens": chance.randrange(1, 1_500),
            "model": chance.choice(MODELS),
            "region": chance.choice(REGIONS),
            "feature": chance.choice(FEATURES),
        },
    }
