"""One price as it is given, and what is wrong with it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from apps.catalog.models import Meter, Price
from apps.rating import DefinitionError, Problem, parse_price

# As many characters as a dimension's value has at most.
MAX_FILTER_VALUE = 255


@dataclass(frozen=True, slots=True)
class NewPrice:
    """One price as an integrator or a form gives it.

    `meter` is a meter's code, empty for a flat fee. `more` are further fields of the definition by the names
    of POST /prices/preview (tiers, convert, quantity_included …); `filters` maps dimensions to values.
    """

    code: str
    name: str
    model: str
    meter: str = ""
    unit_amount: Decimal | str | None = None
    flat_amount: Decimal | str | None = None
    billing_timing: str = Price.Timing.ARREARS
    unit_amount_property: str = ""
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    is_per_seat: bool = False
    more: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """What `parse_price` reads."""
        document = {"model": self.model, **self.more}
        if self.unit_amount is not None:
            document["unit_amount"] = self.unit_amount
        if self.flat_amount is not None:
            document["flat_amount"] = self.flat_amount
        return document


def problems_of(price: NewPrice, meters: Mapping[str, Meter], currency: str) -> list[Problem]:
    """What is wrong with one price; pointers are relative to it."""
    problems: list[Problem] = []
    try:
        parse_price(price.document(), currency=currency)
    except DefinitionError as error:
        problems += error.problems
    is_flat = price.model == Price.Model.FLAT
    meter = meters.get(price.meter)
    if price.is_per_seat and not is_flat:
        problems.append(
            Problem("field_not_allowed", "/is_per_seat", "Only a flat fee is asked for each seat")
        )
    if is_flat and (price.meter or price.filters):
        problems.append(Problem("field_not_allowed", "/meter", "A flat fee has no meter and no filters"))
    if not is_flat and meter is None:
        what = f"There is no meter {price.meter!r}" if price.meter else "This price needs a meter"
        problems.append(Problem("unknown_meter" if price.meter else "missing_field", "/meter", what))
    if not is_flat and price.billing_timing != Price.Timing.ARREARS:
        problems.append(
            Problem("field_not_allowed", "/billing_timing", "Usage is billed at the end of the period")
        )
    if (price.model == Price.Model.DYNAMIC) != bool(price.unit_amount_property):
        what = "Dynamic prices, and only they, name the event's property with the unit price"
        problems.append(Problem("invalid_field", "/unit_amount_property", what))
    if meter is not None and not meter.is_additive and reads_events(price):
        what = f"This price reads events one by one, which the meter {meter.code} does not add up"
        problems.append(Problem("invalid_field", "/meter", what))
    return problems + [
        Problem(code, f"/filters/{name}", what)
        for name, values in price.filters.items()
        for code, what in problems_of_filter(name, values, meter)
    ]


def reads_events(price: NewPrice) -> bool:
    """Dynamic prices, and percentages whose first events are free."""
    is_partly_free = any(price.more.get(name) is not None for name in ("events_included", "amount_included"))
    return price.model == Price.Model.DYNAMIC or (price.model == Price.Model.PERCENTAGE and is_partly_free)


def problems_of_filter(name: str, values: Sequence[str], meter: Meter | None) -> Iterator[tuple[str, str]]:
    """Codes and words."""
    if meter is not None and name not in meter.dimensions:
        yield "unknown_dimension", f"The meter {meter.code} has no dimension {name!r}"
    if not values:
        yield "missing_field", "A filter names at least one value"
    if not all(value.strip() for value in values):
        yield "invalid_field", "A filter can't take the empty value"
    if any(len(value) > MAX_FILTER_VALUE for value in values):
        yield "invalid_field", f"A filter's values have at most {MAX_FILTER_VALUE} characters"
