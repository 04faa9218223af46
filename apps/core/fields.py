"""Column types that every app shares, so that no two tables disagree on precision."""

from typing import Any

from django.db import models


class AmountField(models.DecimalField):
    """Money in a document, in major units of its currency: rounded to minor units where it was rounded."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", 28)
        kwargs.setdefault("decimal_places", 4)
        super().__init__(*args, **kwargs)


class UnroundedAmountField(models.DecimalField):
    """An amount before it is rounded, to the last digit: a product of two numbers with 18 decimals has 36."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", 250)
        kwargs.setdefault("decimal_places", 120)
        super().__init__(*args, **kwargs)

    def db_type(self, connection: Any) -> str:
        """NUMERIC without a scale: PostgreSQL keeps every digit and pads none."""
        return "numeric"


class RateField(models.DecimalField):
    """Money per unit: 18 decimals, so that a token priced per million stays exact."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", 48)
        kwargs.setdefault("decimal_places", 18)
        super().__init__(*args, **kwargs)


class QuantityField(models.DecimalField):
    """Units of usage: up to 10^18 and far beyond, 18 decimals."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", 60)
        kwargs.setdefault("decimal_places", 18)
        super().__init__(*args, **kwargs)
