"""Filters of a meter as people type them, one a line: `region in eu, us`, `tier not in free`.

A name or a value with signs of its own stands in quotation marks: `"billed by" in "a, b", ""`.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminTextareaWidget

from apps.catalog.measure import IN, NOT_IN
from apps.catalog.services.meter_fields import problems_of_filters

TEXT = r'"(?:[^"\\]|\\.)*"'
LINE = re.compile(
    rf"\s*(?P<name>{TEXT}|[^\s,\"]+)\s+(?P<operator>in|not\s+in)\s+(?P<values>.+)", re.IGNORECASE
)
VALUE = re.compile(rf'\s*(?P<text>{TEXT}|[^",]*?)\s*(?:,|$)')
BARE_NAME = re.compile(r'[^\s",\\]+')
BARE_VALUE = re.compile(r'[^\s",\\]+(?: [^\s",\\]+)*')
# Not `splitlines`: a value may hold one of the rarer line breaks.
LINE_BREAK = re.compile(r"\r\n|\r|\n")


class FilterLinesField(forms.CharField):
    def __init__(self, **kwargs: Any) -> None:
        kwargs["widget"] = UnfoldAdminTextareaWidget(attrs={"rows": 2, "placeholder": "region in eu, us"})
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(line_of(one) for one in value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[dict[str, Any]]:  # type: ignore[override]
        return filters_in(str(value or ""))

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return list(initial or []) != self.to_python(data)
        except ValidationError:
            return True

    def run_validators(self, value: Any) -> None:
        """`filters_in` has."""


def filters_in(text: str) -> list[dict[str, Any]]:
    """Raises `ValidationError` with one sentence for each line that can't be read, naming it."""
    lines = [(number, line) for number, line in enumerate(LINE_BREAK.split(text), 1) if line.strip()]
    filters, mistakes = [], []
    for number, line in lines:
        try:
            filters.append(filter_in(line))
        except ValueError as error:
            mistakes.append(f"Line {number}: {error}")
    if not mistakes:
        for problem in problems_of_filters(filters):
            _, *rest = problem.pointer.strip("/").split("/")
            place = f"Line {lines[int(rest[0])][0]}: " if rest else ""
            mistakes.append(f"{place}{problem.message}")
    if mistakes:
        raise ValidationError(mistakes)
    return filters


def filter_in(line: str) -> dict[str, Any]:
    found = LINE.fullmatch(line.rstrip())
    if found is None:
        raise ValueError("write it like: region in eu, us; or: tier not in free")
    return {
        "property": unquoted(found["name"]),
        "operator": NOT_IN if found["operator"].lower().startswith("not") else IN,
        "values": list(values_in(found["values"].strip())),
    }


def values_in(text: str) -> Iterable[str]:
    position = 0
    while position < len(text):
        found = VALUE.match(text, position)
        if found is None or not found["text"]:
            raise ValueError(
                f"{text[position : position + 40]!r} is no value; put commas and quotation marks inside "
                'quotation marks, and write "" for what is absent'
            )
        yield unquoted(found["text"])
        position = found.end()
    if text.endswith(","):
        raise ValueError("a value is missing after the last comma")


def unquoted(text: str) -> str:
    if not text.startswith('"'):
        return text
    try:
        return str(json.loads(text))
    except ValueError as error:
        raise ValueError(f"{text} can't be read: a backslash stands before a quotation mark only") from error


def line_of(one: Mapping[str, Any]) -> str:
    operator = "in" if one["operator"] == IN else "not in"
    values = ", ".join(quoted(value, BARE_VALUE) for value in one["values"])
    return f"{quoted(one['property'], BARE_NAME)} {operator} {values}"


def quoted(text: str, bare: re.Pattern[str]) -> str:
    return text if bare.fullmatch(text) else json.dumps(text, ensure_ascii=False)
