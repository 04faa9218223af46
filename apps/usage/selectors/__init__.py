"""What has counted: totals of any period, by anything, and the events behind them."""

from apps.usage.selectors.quantities import (
    EVENT_OF_READING,
    QUANTITY,
    DimensionQuantity,
    Part,
    Quantity,
    event_by_identity,
    first_quantities,
    latest_events,
    pieces_of,
    quantities,
    quantities_by_dimension,
    quantities_by_dimension_over,
    quantities_by_unit_amount,
    quantities_over,
)

__all__ = [
    "EVENT_OF_READING",
    "QUANTITY",
    "DimensionQuantity",
    "Part",
    "Quantity",
    "event_by_identity",
    "first_quantities",
    "latest_events",
    "pieces_of",
    "quantities",
    "quantities_by_dimension",
    "quantities_by_dimension_over",
    "quantities_by_unit_amount",
    "quantities_over",
]
