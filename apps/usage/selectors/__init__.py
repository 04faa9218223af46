"""What has counted: totals of any period, by anything, and the events behind them."""

from apps.usage.selectors.asked import Asked, Found
from apps.usage.selectors.events import event_by_identity, event_by_key, key_of, latest_events
from apps.usage.selectors.found_events import find_events, waiting_ids
from apps.usage.selectors.parts import (
    Part,
    first_quantities,
    first_quantities_of,
    have_voided,
    quantities_by_unit_amount,
    quantities_by_unit_amount_of,
)
from apps.usage.selectors.pieces import pieces_of
from apps.usage.selectors.quantities import (
    DimensionQuantity,
    dimension_values,
    quantities,
    quantities_by_dimension,
    quantities_by_dimension_of,
    quantities_by_dimension_over,
    quantities_by_group_over,
    quantities_over,
)
from apps.usage.selectors.totals import (
    BY_SET,
    EVERYTHING,
    ZERO,
    Grouping,
    Quantity,
    Span,
    by_dimensions,
    by_label,
    totals_of,
)

__all__ = [
    "BY_SET",
    "EVERYTHING",
    "ZERO",
    "Asked",
    "DimensionQuantity",
    "Found",
    "Grouping",
    "Part",
    "Quantity",
    "Span",
    "by_dimensions",
    "by_label",
    "dimension_values",
    "event_by_identity",
    "event_by_key",
    "find_events",
    "first_quantities",
    "first_quantities_of",
    "have_voided",
    "key_of",
    "latest_events",
    "pieces_of",
    "quantities",
    "quantities_by_dimension",
    "quantities_by_dimension_of",
    "quantities_by_dimension_over",
    "quantities_by_group_over",
    "quantities_by_unit_amount",
    "quantities_by_unit_amount_of",
    "quantities_over",
    "totals_of",
    "waiting_ids",
]
