"""Rating: numbers in, explained numbers out. Pure Python, without Django, clock, database or settings."""

from apps.rating.charge import Charge, CommitmentUse, Event, Step, StepKind, Usage
from apps.rating.commitment import Commitment
from apps.rating.conversion import Conversion, Rounding
from apps.rating.delta import AlreadyBilled, rate_delta
from apps.rating.errors import CurrencyError, DefinitionError, Problem, RatingError, UsageError
from apps.rating.exact import exact_sum, grouped, plain
from apps.rating.interim import before_the_end
from apps.rating.money import allocate, minor_units, round_amount
from apps.rating.parse import parse_already_billed, parse_price, parse_usage
from apps.rating.pipeline import rate
from apps.rating.prices import (
    MODELS,
    CostPlus,
    Dynamic,
    Flat,
    Graduated,
    GraduatedPercentage,
    Package,
    Percentage,
    PerUnit,
    Price,
    RateTier,
    Tier,
    UsagePrice,
    Volume,
)
from apps.rating.proration import prorate, prorate_parts
from apps.rating.serialize import charge_to_dict, definition_to_dict, step_to_dict

__all__ = [
    "MODELS",
    "AlreadyBilled",
    "Charge",
    "Commitment",
    "CommitmentUse",
    "Conversion",
    "CostPlus",
    "CurrencyError",
    "DefinitionError",
    "Dynamic",
    "Event",
    "Flat",
    "Graduated",
    "GraduatedPercentage",
    "Package",
    "PerUnit",
    "Percentage",
    "Price",
    "Problem",
    "RateTier",
    "RatingError",
    "Rounding",
    "Step",
    "StepKind",
    "Tier",
    "Usage",
    "UsageError",
    "UsagePrice",
    "Volume",
    "allocate",
    "before_the_end",
    "charge_to_dict",
    "definition_to_dict",
    "exact_sum",
    "grouped",
    "minor_units",
    "parse_already_billed",
    "parse_price",
    "parse_usage",
    "plain",
    "prorate",
    "prorate_parts",
    "rate",
    "rate_delta",
    "round_amount",
    "step_to_dict",
]
