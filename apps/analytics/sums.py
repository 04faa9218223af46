"""Amounts by currency."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from apps.core.money import money_display


@dataclass(frozen=True, slots=True)
class Money:
    amount: Decimal
    currency: str

    def __str__(self) -> str:
        return money_display(self.amount, self.currency)


def by_size(sums: Mapping[str, Decimal]) -> list[Money]:
    """One entry a currency, the largest first."""
    return [
        Money(amount, currency)
        for currency, amount in sorted(sums.items(), key=lambda one: (-one[1], one[0]))
    ]
