"""The home page's part about ingestion, in words."""

from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from apps.analytics.ingestion import FORMER_DAYS, Health, Trend, health_at, percent
from apps.analytics.ingestion_chart import chart_of
from apps.core.admin.display import quantity_text

TENTH, HUNDREDTH = Decimal("0.1"), Decimal("0.01")
LAGS = ((timedelta(days=2), timedelta(days=1), "days"), (timedelta(hours=2), timedelta(hours=1), "h"),
        (timedelta(minutes=2), timedelta(minutes=1), "min"))  # fmt: skip


def ingestion_of(now: datetime) -> dict[str, Any]:
    health = health_at(now)
    day = health.last_day
    return {
        "is_idle": not day.total,
        "per_second": rate_text(health.per_second),
        "last_hour": f"{health.last_hour.accepted:,}",
        "lag": lag_text(health.lag),
        "shares": shares_of(health),
        "charts": [
            chart_of("Last 60 minutes", health.minutes),
            chart_of("Last 24 hours", health.hours),
        ]
        if day.total
        else [],
        "trend": trend_row(health.trend) if health.trend else None,
        "days": FORMER_DAYS,
    }


def shares_of(health: Health) -> list[dict[str, str]]:
    """Of the last 24 hours: name, value, note, what it means, and whether somebody should look."""
    day = health.last_day
    rows = (
        ("Duplicates", percent(day.duplicates, day.total), f"{day.duplicates:,} of {day.total:,}",
         "Known id and same content: retries that changed nothing.", False),
        ("Late", percent(day.late, day.accepted), f"{day.late:,} over an hour old",
         "Accepted events that were more than an hour old on arrival.", False),
        ("Quarantined", percent(day.quarantined, day.total), f"{day.quarantined:,} kept for replay",
         "No customer or no meter is known for them yet.", False),
        ("Conflicts", f"{day.conflicts:,}", "known id, other content",
         "The first event stays. An app that gives an id twice loses usage.", day.conflicts > 0),
        ("Rejected", f"{day.rejected:,}", "malformed, not stored",
         "The answer to the request says where they are malformed.", day.rejected > 0),
    )  # fmt: skip
    return [
        {"name": name, "value": value, "note": note, "help": meaning, "tone": "alert" if is_bad else ""}
        for name, value, note, meaning, is_bad in rows
    ]


def trend_row(trend: Trend) -> dict[str, str]:
    if trend.is_spike:
        badge, tone = f"Spike: {quantity_text(trend.factor)} times the usual", "warning"
    elif trend.is_drop:
        badge, tone = f"Drop: {quantity_text(trend.factor)} of the usual", "danger"
    else:
        badge, tone = f"As usual: {quantity_text(trend.factor)} times", "success"
    return {
        "badge": badge,
        "tone": tone,
        "words": f"{trend.accepted:,} events in the last 60 minutes; {trend.usual:,} are usual at this time of day",
    }


def rate_text(per_second: Decimal) -> str:
    """`1,250`, `3.4`, `0.02`: as many digits as say something."""
    if not per_second:
        return "0"
    unit = Decimal(1) if per_second >= 100 else TENTH if per_second >= 1 else HUNDREDTH
    return quantity_text(per_second.quantize(unit, ROUND_HALF_UP)) if per_second >= HUNDREDTH else "< 0.01"


def lag_text(lag: timedelta | None) -> str:
    if lag is None:
        return "–"
    for enough, unit, name in LAGS:
        if lag >= enough:
            return f"{lag // unit:,} {name}"
    tenths = lag // timedelta(milliseconds=100)
    return f"{tenths // 10}.{tenths % 10} s"
