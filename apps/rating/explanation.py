"""The explanation while it is being written: rows and their running total."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from apps.rating.charge import Step
from apps.rating.exact import ZERO, is_endless, settle


@dataclass(slots=True)
class Explanation:
    """Collects rows, so that the total is at any moment the exact sum of the amounts of the rows."""

    steps: list[Step] = field(default_factory=list)
    total: Decimal = ZERO

    def add(self, step: Step | None) -> None:
        """Append a row; a step that did nothing gives None and leaves no row."""
        if step is None:
            return
        self.steps.append(step)
        if step.amount is not None:
            self.total += step.amount

    def add_all(self, steps: Iterable[Step]) -> None:
        for step in steps:
            self.add(step)

    def settle(self) -> None:
        """Round to 24 decimals if a conversion made a quantity endless; the rows still sum to the total."""
        if not any(step.quantity is not None and is_endless(step.quantity) for step in self.steps):
            return
        running = ZERO
        for index, step in enumerate(self.steps):
            quantity = None if step.quantity is None else settle(step.quantity)
            amount = step.amount
            if amount is not None:
                before, running = running, running + amount
                amount = settle(running) - settle(before)
            self.steps[index] = replace(step, quantity=quantity, amount=amount)
        self.total = settle(running)
