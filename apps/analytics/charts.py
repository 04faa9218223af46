"""Bars as numbers: what a template needs to draw a chart without a script or a float in sight."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from apps.analytics.selectors import MeterSeries
from apps.core.admin.display import quantity_text

WIDTH, HEIGHT = 720, 150
GAP = 3
TENTH = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class Bar:
    """In the units of the chart's view box; `slot_*` is the column that answers to the mouse."""

    x: int
    y: Decimal
    width: int
    height: Decimal
    slot_x: int
    slot_width: int
    tip: str


@dataclass(frozen=True, slots=True)
class Chart:
    title: str
    total: str
    bars: list[Bar]
    axis: list[str]
    peak: str
    width: int = WIDTH
    height: int = HEIGHT


def chart_of(series: MeterSeries) -> Chart:
    peak = max((quantity for _, quantity in series.buckets), default=Decimal(0))
    slot = WIDTH // len(series.buckets)
    is_hourly = series.buckets[1][0] - series.buckets[0][0] < timedelta(days=1)
    bars = []
    for index, (at, quantity) in enumerate(series.buckets):
        height = (quantity * HEIGHT / peak).quantize(TENTH, ROUND_HALF_UP) if peak > 0 else Decimal(0)
        # What is there must be seen, be it ever so small.
        height = max(height, Decimal(2)) if quantity > 0 else Decimal(0)
        tip = f"{label(at, is_hourly)}: {quantity_text(quantity)}"
        x = slot * index
        bars.append(Bar(x + GAP, HEIGHT - height, slot - 2 * GAP, height, x, slot, tip))
    labelled = range(0, len(series.buckets), 6)
    return Chart(
        title=series.meter.name,
        total=quantity_text(series.total),
        bars=bars,
        axis=[label(series.buckets[index][0], is_hourly) for index in labelled]
        + [label(series.buckets[-1][0], is_hourly)],
        peak=short(peak),
    )


def label(at: datetime, is_hourly: bool) -> str:
    return f"{at:%H:%M}" if is_hourly else f"{at.day} {at:%b}"


def short(quantity: Decimal) -> str:
    """A round figure for the axis: 18.1M, 245K."""
    for size, letter in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        if quantity >= size:
            return f"{(quantity / size).quantize(TENTH, ROUND_HALF_UP).normalize():f}{letter}"
    return quantity_text(quantity)
