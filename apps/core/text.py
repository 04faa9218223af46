"""Texts: what PostgreSQL can hold, and how an instant is written."""

from datetime import UTC, datetime


def is_storable(value: str) -> bool:
    """Any Unicode text but NUL and halves of surrogate pairs."""
    if "\0" in value:
        return False
    return value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value)


def instant_text(instant: datetime) -> str:
    """RFC 3339 in UTC: `2026-11-20T10:00:00Z`."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
