"""Rating: numbers in, explained numbers out. Pure Python, without Django, clock, database or settings."""

from apps.rating.charge import Charge, CommitmentUse, Event, Step, StepKind, Usage
from apps.rating.conversion import Conversion, Rounding
from apps.rating.errors import CurrencyError, DefinitionError, Problem, RatingError, UsageError
from apps.rating.exact import grouped, plain
from apps.rating.money import allocate, minor_units, round_amount
from apps.rating.pipeline import rate
from apps.rating.prices import MODELS, Flat, PerUnit, Price, UsagePrice
from apps.rating.proration import prorate, prorate_parts

__all__ = [
    "MODELS",
    "Charge",
    "CommitmentUse",
    "Conversion",
    "CurrencyError",
    "DefinitionError",
    "Event",
    "Flat",
    "PerUnit",
    "Price",
    "Problem",
    "RatingError",
    "Rounding",
    "Step",
    "StepKind",
    "Usage",
    "UsageError",
    "UsagePrice",
    "allocate",
    "grouped",
    "minor_units",
    "plain",
    "prorate",
    "prorate_parts",
    "rate",
    "round_amount",
]
