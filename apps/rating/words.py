"""English for the rows of an explanation. Digits are grouped; the unit's name is optional."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Self

from apps.rating.exact import DECIMALS, EXACT, ONE, grouped


@dataclass(frozen=True, slots=True)
class Words:
    """Speaks of one charge: its currency, the currency's minor units, the name of the unit."""

    currency: str
    places: int
    unit: str = ""

    def renamed(self, unit: str) -> Self:
        """The same words with another name of the unit, after a conversion for instance."""
        return replace(self, unit=unit)

    def money(self, amount: Decimal) -> str:
        """At least the currency's own decimals: "5.00 USD", "4.275 USD"."""
        return f"{shown(amount, self.places)} {self.currency}"

    def price(self, amount: Decimal) -> str:
        """A price as it was entered, without padding: "0.0000025 USD"."""
        return f"{grouped(amount)} {self.currency}"

    def units(self, quantity: Decimal) -> str:
        """A quantity with the unit's name, if there is one: "18,059,974 tokens"."""
        return f"{shown(quantity)} {self.unit}" if self.unit else shown(quantity)

    def product(self, quantity: Decimal, unit_amount: Decimal) -> str:
        return f"{self.units(quantity)} × {self.price(unit_amount)}"

    def share(self, amount: Decimal, rate: Decimal) -> str:
        return f"{percent(rate)} of {self.money(amount)}"


def shown(value: Decimal, places: int = 0) -> str:
    """Group the digits; an endless quotient is cut after 12 decimals, with an ellipsis to say so."""
    text = grouped(value, places)
    whole, point, decimals = text.partition(".")
    return f"{whole}{point}{decimals[:12]}…" if len(decimals) > DECIMALS else text


def percent(rate: Decimal) -> str:
    """Spell a fraction as a percentage: 0.029 is "2.9 %"."""
    return f"{grouped(EXACT.scaleb(rate, 2))} %"


def plural(count: Decimal | int, noun: str) -> str:
    """Spell a number of regular English things: "1 event", "1,200 events"."""
    return f"{grouped(Decimal(count))} {noun}" if count == ONE else f"{grouped(Decimal(count))} {noun}s"
