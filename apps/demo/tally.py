"""What became of the events that were sent: the verdicts of the API, counted."""

from dataclasses import dataclass, field
from time import monotonic
from typing import Any

TAKEN = ("accepted", "duplicates")
NOT_TAKEN = ("conflicts", "quarantined", "rejected")
VERDICTS = (*TAKEN, *NOT_TAKEN)
SHOWN_REFUSALS = 5


@dataclass(slots=True)
class Tally:
    """The verdicts so far, out of `total` events, and the first few that were no good news."""

    total: int
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(VERDICTS, 0))
    refusals: list[dict[str, Any]] = field(default_factory=list)
    started: float = field(default_factory=monotonic)
    seconds: float = 0

    def add(self, answer: dict[str, Any]) -> None:
        """Add the answer to one request."""
        for verdict in VERDICTS:
            self.counts[verdict] += answer[verdict]
        refused = [one for one in answer["results"] if one["status"] not in ("accepted", "duplicate")]
        self.refusals += refused[: SHOWN_REFUSALS - len(self.refusals)]
        self.seconds = monotonic() - self.started

    @property
    def sent(self) -> int:
        return sum(self.counts.values())

    @property
    def is_clean(self) -> bool:
        return not any(self.counts[verdict] for verdict in NOT_TAKEN)

    @property
    def per_second(self) -> int:
        return round(self.sent / self.seconds) if self.seconds else 0
