"""Bars of what came in: accepted in time, accepted late, duplicates, one on the other."""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from apps.analytics.charts import TENTH, WIDTH, short
from apps.usage.selectors.health import Counts

HEIGHT = 96
# Of a column that belongs to the gap between bars.
GAP_PARTS = 6
LABELS = 5


@dataclass(frozen=True, slots=True)
class Piece:
    """`kind` names its colour."""

    kind: str
    y: Decimal
    height: Decimal


@dataclass(frozen=True, slots=True)
class Column:
    x: Decimal
    width: Decimal
    slot_x: int
    slot_width: int
    pieces: list[Piece]
    tip: str


@dataclass(frozen=True, slots=True)
class StackedChart:
    title: str
    total: str
    peak: str
    columns: list[Column]
    axis: list[str]
    width: int = WIDTH
    height: int = HEIGHT


def chart_of(title: str, buckets: list[tuple[datetime, Counts]]) -> StackedChart:
    peak = max((shown_of(counts) for _, counts in buckets), default=0)
    slot = WIDTH // len(buckets)
    gap = Decimal(slot) / GAP_PARTS
    columns = [
        Column(
            slot * index + gap / 2, slot - gap, slot * index, slot, pieces_of(counts, peak), tip(at, counts)
        )
        for index, (at, counts) in enumerate(buckets)
    ]
    labelled = [len(buckets) * index // LABELS for index in range(LABELS)]
    return StackedChart(
        title=title,
        total=f"{sum(counts.accepted for _, counts in buckets):,}",
        peak=short(Decimal(peak)),
        columns=columns,
        axis=[f"{buckets[index][0]:%H:%M}" for index in labelled] + [f"{buckets[-1][0]:%H:%M}"],
    )


def shown_of(counts: Counts) -> int:
    return counts.accepted + counts.duplicates


def pieces_of(counts: Counts, peak: int) -> list[Piece]:
    """From the bottom up. What is there is seen, be it ever so small."""
    found = []
    top = Decimal(HEIGHT)
    for kind, count in (
        ("in-time", counts.accepted - counts.late),
        ("late", counts.late),
        ("duplicate", counts.duplicates),
    ):
        if count <= 0:
            continue
        height = max((Decimal(count) * HEIGHT / peak).quantize(TENTH, ROUND_HALF_UP), Decimal(2))
        top -= height
        found.append(Piece(kind, top, height))
    return found


def tip(at: datetime, counts: Counts) -> str:
    rows = [f"{at:%H:%M} UTC: {counts.accepted:,} accepted"]
    rows += [
        f"{count:,} {name}"
        for name, count in (
            ("of them late", counts.late),
            ("duplicates", counts.duplicates),
            ("conflicts", counts.conflicts),
            ("quarantined", counts.quarantined),
            ("rejected", counts.rejected),
        )
        if count
    ]
    return "\n".join(rows)
