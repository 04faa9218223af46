"""What may be a threshold of billing."""

from decimal import Decimal

from apps.core.errors import Invalid
from apps.rating import round_amount

# Fits the column, and every currency.
MOST = Decimal(10) ** 18


def check_threshold(amount: Decimal | None, currency: str, *, param: str) -> None:
    """Raises `Invalid` invalid_threshold."""
    if amount is None:
        return
    if not amount.is_finite() or not 0 < amount <= MOST or round_amount(amount, currency) != amount:
        raise Invalid(
            "invalid_threshold",
            f"A threshold is an amount above zero in {currency}, without parts of its smallest unit.",
            param=param,
        )
