"""What is sold in the simulation, as plain data that the product and the reference read each in its own way."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db import transaction

from apps.catalog.models import PlanVersion, Price
from apps.catalog.services import plans
from apps.catalog.services.plans import NewPrice
from apps.catalog.services.versions import publish_version
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
    is_add_on: bool = False

    def takes(self, meter: str, model: str) -> Metered | None:
        """The price of a meter's usage with a model: the one that names the model, else the one that names none."""
        found = [one for one in self.metered if one.meter == meter and one.model in ("", model)]
        return max(found, key=lambda one: one.model, default=None)

    @property
    def terms(self) -> dict[str, Any]:
        (unit, count), usage = self.fees_every, self.usage_every
        found = {"interval_unit": unit, "interval_count": count, "proration": self.proration}
        if usage == self.fees_every:
            return found
        return {**found, "usage_interval_unit": usage[0], "usage_interval_count": usage[1]}

    @property
    def prices(self) -> list[NewPrice]:
        return [one.as_new() for one in (*self.metered, *self.fees)]

    def sold(self) -> PlanVersion:
        kind = {"kind": "add_on"} if self.is_add_on else {}
        return sell(self.code, *self.prices, **kind, **self.terms)


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
        Offer(
            f"words-{proration}", month, month,
            (Metered("tokens", "tokens", ((300, "0.011"), (None, "0.0077"))),),
            (Fee("base", "3", "arrears"),),
            proration,
        ),
    ]  # fmt: skip


def add_ons() -> list[Offer]:
    """Each for the fees of some plan; shares of them are counted as the plan's are."""
    week, month, quarter, year = ("week", 1), ("month", 1), ("month", 3), ("month", 12)
    sold = [
        ("desk", month, Fee("desk", "31", "advance", is_per_seat=True), Fee("delivery", "50", "once")),
        (
            "region",
            month,
            Fee("region", "12.34", "arrears", is_per_seat=True),
            Fee("move", "7", "once", is_per_seat=True),
        ),
        ("care", quarter, Fee("care", "90", "advance", is_per_seat=True), Fee("visit", "20", "once")),
        ("vault", year, Fee("vault", "365", "advance", is_per_seat=True), Fee("guard", "100", "arrears")),
        ("extra", week, Fee("extra", "5", "advance", is_per_seat=True), Fee("start", "2.5", "once")),
    ]
    return [Offer(code, every, every, (), tuple(fees), is_add_on=True) for code, every, *fees in sold]


@dataclass(frozen=True)
class Shop:
    """What is on sale, by the key of its version, and the keys of its prices."""

    versions: dict[str, PlanVersion]
    by_version: dict[int, Offer]
    price_ids: dict[tuple[int, str], int]
    add_ons: dict[str, Offer]

    @classmethod
    def opened(cls) -> "Shop":
        make_meter("calls", aggregation="count", unit="call", dimensions=["model"])
        make_meter("tokens", dimensions=["model"])
        shop = cls({}, {}, {}, {})
        for one in (*offers("second"), *offers("day"), *add_ons()):
            shop.know(one.sold(), one)
        return shop

    def know(self, version: PlanVersion, offer: Offer) -> None:
        """What is sold from now on."""
        self.versions[offer.code], self.by_version[version.pk] = version, offer
        prices = Price.objects.filter(plan_version=version)
        self.price_ids.update({(version.pk, code): pk for pk, code in prices.values_list("pk", "code")})
        if offer.is_add_on:
            self.add_ons[offer.code] = offer

    @transaction.atomic
    def publish(self, offer: Offer, *, existing: str, now: datetime) -> PlanVersion:
        plan = self.versions[offer.code].plan
        draft = plans.draft_version(plan=plan, currency="USD", prices=offer.prices, **offer.terms)
        return publish_version(version=draft, existing=existing, now=now)
