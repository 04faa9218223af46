"""Which price takes which part of a meter's usage.

The most specific match wins: the price with the most filters that all fit. Between equals the first in the
plan's order wins, so that an event is counted by exactly one price. A price without filters is the default and
takes the rest; without one, the rest is unpriced and shown to staff.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from apps.catalog.models import Price


@dataclass(frozen=True, slots=True)
class Taker:
    """A price and what it asks of the dimensions, in the plan's order."""

    price: Price
    filters: tuple[tuple[str, frozenset[str]], ...]

    def takes(self, dimensions: Mapping[str, str]) -> bool:
        return all(dimensions.get(name, "") in values for name, values in self.filters)


def takers_of(prices: Iterable[Price]) -> list[Taker]:
    """Prices of one meter, in the plan's order, with their filters (prefetch them). The most specific come first."""
    takers = [
        Taker(price, tuple((one.dimension, frozenset(one.values)) for one in price.filters.all()))
        for price in prices
    ]
    # Sorting is stable: between equally specific prices the plan's order stays.
    return sorted(takers, key=lambda taker: -len(taker.filters))


def taker_for(takers: list[Taker], dimensions: Mapping[str, str]) -> Price | None:
    """The price that counts usage with these dimension values, or None: it is unpriced."""
    return next((taker.price for taker in takers if taker.takes(dimensions)), None)
