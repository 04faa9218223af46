"""What is sold in the simulation, as plain data that the product and the reference read each in its own way."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from apps.catalog.models import PlanVersion, Price
from apps.catalog.services.plans import NewPrice
from tests.harness.factories import make_meter
from tests.scenarios.lifecycle.words import sell

MODELS = ("small", "large")
# A tier's bound and what a unit of it costs; the last one has none.
Tiers = tuple[tuple[int | None, str], ...]


@dataclass(frozen=True)
class Metered:
    code: str
    meter: str
    tiers: Tiers
    model: str = ""

    def cost(self, quantity: Decimal) -> Fraction:
        """Each unit costs what its own tier says; with one tier every unit costs the same."""
        found, below, left = Fraction(0), 0, Fraction(quantity)
        for up_to, amount in self.tiers:
            part = left if up_to is None else min(left, Fraction(up_to - below))
            found, left = found + part * Fraction(amount), left - part
            below = up_to or below
        return found

    def as_new(self) -> NewPrice:
        filters = {"model": [self.model]} if self.model else {}
        common = {"code": self.code, "name": self.code.title(), "meter": self.meter, "filters": filters}
        if len(self.tiers) == 1:
            return NewPrice(model="per_unit", unit_amount=Decimal(self.tiers[0][1]), **common)
        tiers = [
            {"up_to": None if up_to is None else str(up_to), "unit_amount": amount}
            for up_to, amount in self.tiers
        ]
        return NewPrice(model="graduated", more={"tiers": tiers}, **common)


@dataclass(frozen=True)
class Fee:
    code: str
    amount: str
    timing: str
    is_per_seat: bool = False

    def as_new(self) -> NewPrice:
        return NewPrice(
            code=self.code, name=self.code.title(), model="flat", flat_amount=self.amount,
            billing_timing=self.timing, is_per_seat=self.is_per_seat,
        )  # fmt: skip


Interval = tuple[str, int]


@dataclass(frozen=True)
class Offer:
    code: str
    fees_every: Interval
    usage_every: Interval
    metered: tuple[Metered, ...]
    fees: tuple[Fee, ...]
    proration: str = "second"

    def takes(self, meter: str, model: str) -> Metered | None:
        """The price of a meter's usage with a model: the one that names the model, else the one that names none."""
        found = [one for one in self.metered if one.meter == meter and one.model in ("", model)]
        return max(found, key=lambda one: one.model, default=None)

    def sold(self) -> PlanVersion:
        (unit, count), usage = self.fees_every, self.usage_every
        terms = (
            {}
            if usage == self.fees_every
            else {"usage_interval_unit": usage[0], "usage_interval_count": usage[1]}
        )
        prices = [one.as_new() for one in (*self.metered, *self.fees)]
        return sell(
            self.code, *prices, interval_unit=unit, interval_count=count, proration=self.proration, **terms
        )


def offers(proration: str) -> list[Offer]:
    """A customer changes among those that count shares in one way."""
    week, month, quarter, year = ("week", 1), ("month", 1), ("month", 3), ("month", 12)
    return [
        Offer(
            f"start-{proration}", month, month,
            (
                Metered("calls", "calls", ((None, "0.0137"),)),
                Metered("tokens", "tokens", ((100, "0.02"), (1_000, "0.0123456789"), (None, "0.005"))),
            ),
            (Fee("base", "31.99", "arrears", is_per_seat=True),),
            proration,
        ),
        Offer(
            f"grow-{proration}", month, month,
            (
                Metered("calls", "calls", ((None, "0.011"),)),
                Metered("large", "tokens", ((None, "0.03"),), model="large"),
                Metered("tokens", "tokens", ((500, "0.0171"), (None, "0.004")),),
            ),
            (Fee("base", "99", "advance", is_per_seat=True), Fee("setup", "50", "once")),
            proration,
        ),
        Offer(
            f"quarter-{proration}", quarter, month,
            (Metered("calls", "calls", ((20, "0.5"), (None, "0.1003"))),),
            (Fee("base", "271", "advance", is_per_seat=True), Fee("support", "9.01", "arrears")),
            proration,
        ),
        Offer(
            f"year-{proration}", year, month,
            (
                Metered("calls", "calls", ((None, "0.009"),)),
                Metered("tokens", "tokens", ((None, "0.0033"),)),
            ),
            (Fee("base", "1200", "advance"), Fee("seats", "600", "arrears", is_per_seat=True)),
            proration,
        ),
        Offer(
            f"week-{proration}", week, week,
            (Metered("calls", "calls", ((None, "0.02"),)), Metered("tokens", "tokens", ((None, "0.01"),))),
            (Fee("base", "7", "advance", is_per_seat=True),),
            proration,
        ),
    ]  # fmt: skip


@dataclass(frozen=True)
class Shop:
    """What is on sale, by the key of its version, and the keys of its prices."""

    versions: dict[str, PlanVersion]
    by_version: dict[int, Offer]
    price_ids: dict[tuple[int, str], int]

    @classmethod
    def opened(cls) -> "Shop":
        make_meter("calls", aggregation="count", unit="call", dimensions=["model"])
        make_meter("tokens", dimensions=["model"])
        every = [*offers("second"), *offers("day")]
        versions = {one.code: one.sold() for one in every}
        price_ids = {
            (version_id, code): pk
            for pk, version_id, code in Price.objects.values_list("pk", "plan_version_id", "code")
        }
        return cls(versions, {versions[one.code].pk: one for one in every}, price_ids)
