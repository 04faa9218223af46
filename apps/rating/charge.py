"""What goes into rating and what comes out: usage in, an explained charge out. All values are immutable."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from apps.rating.errors import UsageError
from apps.rating.values import Amount, Count, Quantity, Rule

_USAGE_NUMBER = Rule(least=0)


class StepKind(StrEnum):
    """What a row of the explanation is about, in the order in which rows appear."""

    CONVERT = "convert"
    INCLUDED = "included"
    FLAT = "flat"
    UNIT = "unit"
    TIER = "tier"
    PACKAGE = "package"
    PERCENTAGE = "percentage"
    FIXED = "fixed"
    EVENT = "event"
    COST = "cost"
    DISCOUNT = "discount"
    COMMITMENT = "commitment"
    OVERAGE = "overage"
    TRUE_UP = "true_up"
    MAXIMUM = "maximum"
    MINIMUM = "minimum"
    PRORATION = "proration"
    ALREADY_BILLED = "already_billed"
    CREDIT = "credit"


@dataclass(frozen=True, slots=True)
class Event:
    """One usage event: what it measured, and its own unit price if it brings one."""

    quantity: Quantity
    unit_amount: Amount | None = None

    def __post_init__(self) -> None:
        _check_number(self.quantity, "quantity")
        if self.unit_amount is not None:
            _check_number(self.unit_amount, "unit_amount")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a meter counted in a period. `events` are in the order in which they happened; no model but
    `dynamic` needs all of them.

    Quantity in the meter's own unit; for the percentage and cost_plus models it is an amount of money. Raises
    UsageError `invalid_type`, `not_finite`, `negative`, `out_of_range` or `too_many_decimals`.
    """

    quantity: Quantity
    event_count: Count = 0
    events: tuple[Event, ...] = ()

    def __post_init__(self) -> None:
        _check_number(self.quantity, "quantity")
        if type(self.event_count) is not int or self.event_count < 0:
            raise UsageError.of("negative", "Must be an int of at least 0", "/event_count")


@dataclass(frozen=True, slots=True)
class Step:
    """One row of the explanation. A row without an amount (None) only moves a quantity or states a fact.

    The amounts of a charge's rows sum exactly to its unrounded amount.
    """

    kind: StepKind
    description: str
    quantity: Decimal | None = None
    unit_amount: Decimal | None = None
    flat_amount: Decimal | None = None
    rate: Decimal | None = None
    amount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class CommitmentUse:
    """Charge = within + overage + true_up, before maximum and minimum."""

    within: Decimal
    overage: Decimal
    true_up: Decimal


@dataclass(frozen=True, slots=True)
class Charge:
    """A rated result before it is invoiced. `amount` is rounded to the minor unit, once.

    `quantity` is what the meter counted, before conversion; in a delta, what was counted since the last bill.
    """

    amount: Decimal
    unrounded_amount: Decimal
    currency: str
    quantity: Decimal
    steps: tuple[Step, ...]
    commitment: CommitmentUse | None = None

    @property
    def is_credit(self) -> bool:
        """Whether money goes back to the customer. Only a cumulative delta can be one."""
        return self.amount < 0


def _check_number(value: Decimal, name: str) -> None:
    if type(value) is not Decimal:
        raise UsageError.of("invalid_type", f"Must be Decimal, not {type(value).__name__}", f"/{name}")
    if (problem := _USAGE_NUMBER.problem(value, f"/{name}")) is not None:
        raise UsageError([problem])
