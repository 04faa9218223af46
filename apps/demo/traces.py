"""The two production traces that the demo is made of: one hour of calls to two LLM services. See data/README.md."""

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

DATA = Path(__file__).parent / "data"
# The hour that both traces lie in.
HOUR_START = datetime(2023, 11, 16, 18, 15, tzinfo=UTC)
# "2023-11-16 18:17:03.9799600": the API keeps microseconds and cuts the rest off, and so do we.
MICROSECOND_TEXT = len("2023-11-16 18:17:03.979960")


class Call(NamedTuple):
    at: datetime
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Trace:
    """`name` is part of the ids of its events; `model` is what they say has answered."""

    name: str
    file: str
    count: int
    customer: str
    model: str

    def calls(self) -> Iterator[Call]:
        """All calls, in the order of time."""
        with gzip.open(DATA / self.file, "rt", encoding="ascii", newline="") as lines:
            rows = csv.reader(lines)
            next(rows)
            for at, input_tokens, output_tokens in rows:
                instant = datetime.fromisoformat(at[:MICROSECOND_TEXT]).replace(tzinfo=UTC)
                yield Call(instant, int(input_tokens), int(output_tokens))


CODE = Trace(
    "code", "AzureLLMInferenceTrace_code.csv.gz", 8_819, customer="code-assistant", model="gpt-5-mini"
)
CHAT = Trace("chat", "AzureLLMInferenceTrace_conv.csv.gz", 19_366, customer="chat-assistant", model="gpt-5")
TRACES = {trace.name: trace for trace in (CODE, CHAT)}
