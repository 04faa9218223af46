"""Commitment: a customer promises to spend an amount, or to buy a quantity, in each period."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from apps.rating.charge import CommitmentUse, Step, StepKind
from apps.rating.errors import Problem
from apps.rating.exact import ONE, ZERO, grouped
from apps.rating.validated import Validated
from apps.rating.values import Factor, PositiveAmount, PositiveQuantity
from apps.rating.words import Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitment(Validated):
    """A promised amount or quantity; exactly one of the two.

    With `true_up`, what is missing to the promise is charged. What exceeds it costs `overage_factor` times
    its price. The quantity counts billed units: after conversion, beyond the included quantity. Metronome:
    commit; Lago: minimum commitment; Flexprice: commitment with overage factor and true-up.
    """

    amount: PositiveAmount | None = None
    quantity: PositiveQuantity | None = None
    true_up: bool = False
    overage_factor: Factor = ONE

    def problems(self) -> Iterator[Problem]:
        if self.amount is None and self.quantity is None:
            yield Problem("missing_field", "", "A commitment needs an amount or a quantity")
        if self.amount is not None and self.quantity is not None:
            yield Problem("conflicting_fields", "/quantity", "Commit an amount or a quantity, not both")

    def use(self, total: Decimal, quantity: Decimal, committed: Decimal) -> CommitmentUse:
        """Split a discounted total; `committed` is the promised amount, or the promised quantity's price.

        The invariant is charge = within + overage + true_up. A promised quantity that was reached is never
        trued up, even if a volume discount made its price fall below that of the promise.
        """
        if self.quantity is None:
            within = min(total, committed)
            missing = committed - within
        elif quantity > self.quantity:
            within, missing = min(total, committed), ZERO
        else:
            within, missing = total, max(committed - total, ZERO)
        overage = (total - within) * self.overage_factor
        return CommitmentUse(within, overage, missing if self.true_up else ZERO)

    def steps(self, total: Decimal, use: CommitmentUse, committed: Decimal, words: Words) -> list[Step]:
        """Rows of the commitment. The price's own rows already hold the overage at its plain price."""
        promise = words.money(committed)
        if self.quantity is not None:
            promise = f"{words.units(self.quantity)}, worth {promise}"
        text = f"{words.money(use.within)} within the commitment of {promise}"
        steps = [Step(StepKind.COMMITMENT, text, quantity=self.quantity)]
        excess = total - use.within
        if excess:
            factor = grouped(self.overage_factor)
            text = f"Overage of {words.money(excess)} × {factor} = {words.money(use.overage)}"
            steps.append(Step(StepKind.OVERAGE, text, rate=self.overage_factor, amount=use.overage - excess))
        if use.true_up:
            text = f"True-up to the commitment of {words.money(committed)}"
            steps.append(Step(StepKind.TRUE_UP, text, amount=use.true_up))
        return steps
