"""Reads the golden tables, so that any second implementation can be held against the same cases.

A table file has sections. A section lists the price as `- name: value` and its cases as a table with the
columns quantity, events, event count, part, billed, arithmetic, unrounded and amount; only quantity (or
events), arithmetic and amount are needed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"

_FLAGS = {"yes": True, "no": False}


@dataclass(frozen=True, slots=True)
class GoldenCase:
    """One row: what is priced, and what a person worked out for it."""

    name: str
    price: dict[str, object]
    currency: str
    unit: str
    usage: dict[str, object]
    part: Fraction | None
    already_billed: dict[str, object] | None
    arithmetic: str
    unrounded: str
    amount: str

    def __str__(self) -> str:
        return self.name


def golden_cases() -> list[GoldenCase]:
    """All cases of all files, in a stable order."""
    return [case for path in sorted(FOLDER.glob("*.md")) for case in _cases_in(path)]


def _cases_in(path: Path) -> Iterator[GoldenCase]:
    sections = path.read_text(encoding="utf-8").split("\n## ")[1:]
    for section in sections:
        lines = section.splitlines()
        price, currency, unit = _price(line[2:] for line in lines if line.startswith("- "))
        table = [_cells(line) for line in lines if line.startswith("|")]
        assert table, f"{path.name}: {lines[0]} has no cases"
        for row in table[2:]:
            cells = dict(zip(table[0], row, strict=True))
            yield GoldenCase(
                name=f"{path.stem}: {lines[0]}: {cells.get('quantity') or cells['events']}"
                + "".join(f" ({key} {cells[key]})" for key in ("part", "billed") if cells.get(key)),
                price=price,
                currency=currency,
                unit=unit,
                usage=_usage(cells),
                part=Fraction(cells["part"]) if cells.get("part") else None,
                already_billed=_billed(cells.get("billed", "")),
                arithmetic=cells["arithmetic"],
                unrounded=_digits(cells.get("unrounded", "")),
                amount=_digits(cells["amount"]),
            )


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _price(items: Iterator[str]) -> tuple[dict[str, object], str, str]:
    price: dict[str, object] = {}
    tiers: list[dict[str, object]] = []
    for item in items:
        name, _, value = item.partition(": ")
        key = name.replace(" ", "_")
        if key == "tier":
            tiers.append(_parts(value))
        elif key in ("convert", "commitment"):
            price[key] = _parts(value)
        else:
            price[key] = _value(value)
    if tiers:
        price["tiers"] = tiers
    currency = price.get("currency")
    assert isinstance(currency, str)
    return price, currency, str(price.pop("unit", ""))


def _parts(text: str) -> dict[str, object]:
    """Read `up to 10, unit amount 0.5`; `open` stands for a tier without a bound."""
    parts: dict[str, object] = {}
    for part in text.split(", "):
        if part == "open":
            parts["up_to"] = None
            continue
        name, _, value = part.rpartition(" ")
        parts[name.replace(" ", "_")] = _value(value)
    return parts


def _value(text: str) -> object:
    return _FLAGS.get(text, _digits(text))


def _digits(text: str) -> str:
    return text.replace(",", "")


def _usage(cells: dict[str, str]) -> dict[str, object]:
    usage: dict[str, object] = {}
    if cells.get("events"):
        usage["events"] = [_event(event) for event in cells["events"].split("; ")]
    if cells.get("quantity"):
        usage["quantity"] = _digits(cells["quantity"])
    else:
        usage["quantity"] = str(sum(_event_quantities(cells["events"]), Decimal(0)))
    if cells.get("event count"):
        usage["event_count"] = int(_digits(cells["event count"]))
    return usage


def _event(text: str) -> dict[str, str]:
    quantity, _, unit_amount = text.partition(" @ ")
    event = {"quantity": _digits(quantity)}
    return event | {"unit_amount": _digits(unit_amount)} if unit_amount else event


def _event_quantities(text: str) -> Iterator[Decimal]:
    return (Decimal(_event(event)["quantity"]) for event in text.split("; "))


def _billed(text: str) -> dict[str, object] | None:
    """Read `100 for 1.00`: a quantity that was billed, and for how much."""
    if not text:
        return None
    quantity, _, amount = text.partition(" for ")
    return {"quantity": _digits(quantity), "amount": _digits(amount)}
