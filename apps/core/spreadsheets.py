"""Cells of files that people open in a spreadsheet: out without a formula, and back as they were."""

from decimal import Decimal
from typing import Any

from apps.rating import plain

# A spreadsheet runs a cell that begins so as a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
YES, NO = "yes", "no"


def safe(text: str) -> str:
    """Never a formula: one that looks like it gets an apostrophe, which a spreadsheet does not show."""
    return f"'{text}" if text.startswith(FORMULA) else text


def read_cell(value: Any) -> str:
    """Text as it was exported. A number of a spreadsheet or of JSON is read as the shortest decimal that it shows."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return YES if value else NO
    if isinstance(value, int | float):
        number = Decimal(repr(value))
        return plain(number) if number.is_finite() else str(value)
    text = str(value).strip()
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA) else text
