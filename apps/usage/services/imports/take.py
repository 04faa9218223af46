"""Take in some records of a file as a batch of events, with a verdict for each."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from apps.usage.services.imports.records import Record
from apps.usage.services.imports.report import Line
from apps.usage.services.ingest import ingest
from apps.usage.wire.verdict import Verdict

CHUNK = 1000
# What the counters of a run are called.
COUNTERS = {
    "accepted": "accepted", "duplicate": "duplicates", "conflict": "conflicts", "quarantined": "quarantined",
    "rejected": "rejected",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Taken:
    """`counts` by counter, with a zero for each; `lines` of what was not accepted, in the order of the file."""

    counts: dict[str, int]
    lines: list[Line]


def take(records: list[Record], *, now: datetime, earliest_at: datetime | None) -> Taken:
    """Durable when it returns, unless it is called inside a transaction."""
    readable = [record for record in records if record.problem is None]
    verdicts = ingest(events=[record.event for record in readable], now=now, earliest=earliest_at)
    lines = [line_of(record, one) for record, one in zip(readable, verdicts, strict=True) if not is_fine(one)]
    lines += [
        Line(record.line, "", "rejected", record.problem.code, "", record.problem.message)
        for record in records
        if record.problem is not None
    ]
    counted = Counter(COUNTERS[one.status] for one in verdicts)
    counted["rejected"] += len(records) - len(readable)
    return Taken(
        {name: counted[name] for name in COUNTERS.values()}, sorted(lines, key=lambda line: line.line)
    )


def is_fine(verdict: Verdict) -> bool:
    return verdict.status == "accepted"


def line_of(record: Record, verdict: Verdict) -> Line:
    # The verdict's pointer begins with the place in the batch: /events/17.
    within = verdict.param.removeprefix(f"/events/{verdict.index}")
    return Line(record.line, verdict.id or "", verdict.status, verdict.code, within, verdict.message)
