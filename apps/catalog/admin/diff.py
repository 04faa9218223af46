"""What changed between two versions of a plan, in words."""

from collections.abc import Mapping
from dataclasses import dataclass

from apps.catalog.admin.wording import facts_of
from apps.catalog.models import PlanVersion, Price

ABSENT = "–"


@dataclass(frozen=True, slots=True)
class Change:
    """One fact. What was not there before, or is not any more, reads as a dash."""

    name: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class ChangedPrice:
    price: Price
    changes: list[Change]


@dataclass(frozen=True, slots=True)
class WholePrice:
    price: Price
    facts: dict[str, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """Prices are the same price when they have the same code."""

    version: list[Change]
    added: list[WholePrice]
    removed: list[WholePrice]
    changed: list[ChangedPrice]
    unchanged: list[Price]

    @property
    def is_empty(self) -> bool:
        return not (self.version or self.added or self.removed or self.changed)


def difference_between(old: PlanVersion, new: PlanVersion) -> Difference:
    """Read both with `with_prices`."""
    before = {price.code: price for price in old.prices.all()}
    after = {price.code: price for price in new.prices.all()}
    changed, unchanged = [], []
    for code, price in after.items():
        if code not in before:
            continue
        changes = changes_between(facts_of(before[code], old.currency), facts_of(price, new.currency))
        if changes:
            changed.append(ChangedPrice(price, changes))
        else:
            unchanged.append(price)
    return Difference(
        version=changes_between(facts_of_version(old), facts_of_version(new)),
        added=[
            WholePrice(price, facts_of(price, new.currency))
            for code, price in after.items()
            if code not in before
        ],
        removed=[
            WholePrice(price, facts_of(price, old.currency))
            for code, price in before.items()
            if code not in after
        ],
        changed=changed,
        unchanged=unchanged,
    )


def facts_of_version(version: PlanVersion) -> dict[str, str]:
    return {"Currency": version.currency, "Price book": str(version.price_book or "General offer")}


def changes_between(old: Mapping[str, str], new: Mapping[str, str]) -> list[Change]:
    names = [*new, *(name for name in old if name not in new)]
    return [
        Change(name, old.get(name, ABSENT), new.get(name, ABSENT))
        for name in names
        if old.get(name) != new.get(name)
    ]
