"""New versions of what is sold, for those who come, or for those who are there as well."""

from contextlib import suppress
from dataclasses import replace
from decimal import Decimal

from apps.core.errors import Refused
from apps.subscriptions.services import rewrite
from tests.simulation.contracts import Contracts
from tests.simulation.failures import Killed, failing_after
from tests.simulation.life import Life
from tests.simulation.offers import Fee, Metered, Offer
from tests.simulation.world import MICROSECOND

MONTHS = [("month", 1), ("month", 3), ("month", 12)]


class Catalog(Contracts):
    def publish(self) -> None:
        code = self.chance.choice(sorted(self.shop.versions))
        former = self.shop.by_version[self.shop.versions[code].pk]
        offer = self.varied(former)
        existing = "keep" if former.is_add_on else self.chance.choice(["keep", "at_renewal", "now", "now"])
        if self.chance.random() < 0.15:
            # All are moved or nobody is, and there is no such version.
            with suppress(Killed, Refused), failing_after(rewrite, "refresh", Killed(), call=2):
                self.publish_as(offer, existing)
            return
        with suppress(Refused):
            self.publish_as(offer, existing)

    def publish_as(self, offer: Offer, existing: str) -> None:
        of_plan = {pk for pk, one in self.shop.by_version.items() if one.code == offer.code}
        when = {"now": "now", "at_renewal": "period_end"}.get(existing)
        moved = [
            (life, self.effective(life, self.row(life), {"when": when}))
            for life in (self.on(of_plan) if when else [])
        ]
        version = self.shop.publish(offer, existing=existing, now=self.now)
        self.shop.know(version, offer)
        for life, begin in moved:
            life.replace_versions(begin, of_plan, version.pk)
        listed = ", ".join(f"{life.customer} from {begin}" for life, begin in moved)
        self.note(f"{version} is published, {existing}: {listed}")

    def on(self, of_plan: set[int]) -> list[Life]:
        """Those who are on the plan at the end of their open period."""
        return [
            life
            for life in self.lives
            if not life.is_over and life.version.at(self.row(life).next_boundary_at - MICROSECOND) in of_plan
        ]

    def varied(self, offer: Offer) -> Offer:
        """Dearer or cheaper; perhaps another fee, another meter, another interval."""
        found = replace(
            offer,
            metered=tuple(self.varied_price(one) for one in offer.metered),
            fees=tuple(replace(one, amount=self.times(one.amount)) for one in offer.fees),
        )
        if offer.is_add_on:
            return found
        ways = [self.other_timing, self.other_seats, self.other_meters, self.other_interval]
        return self.chance.choice(ways)(found) if self.chance.random() < 0.4 else found

    def varied_price(self, price: Metered) -> Metered:
        return replace(price, tiers=tuple((up_to, self.times(amount)) for up_to, amount in price.tiers))

    def times(self, amount: str) -> str:
        """Between a half and the double, and no longer than it was."""
        exact = Decimal(amount)
        digits = Decimal(1).scaleb(min(-2, int(exact.as_tuple().exponent)))
        return format((exact * self.chance.randint(50, 200) / 100).quantize(digits).max(digits), "f")

    def other_timing(self, offer: Offer) -> Offer:
        return self.with_first_fee(
            offer, timing="arrears" if offer.fees[0].timing == "advance" else "advance"
        )

    def other_seats(self, offer: Offer) -> Offer:
        return self.with_first_fee(offer, is_per_seat=not offer.fees[0].is_per_seat)

    def with_first_fee(self, offer: Offer, **changes: object) -> Offer:
        first: Fee = replace(offer.fees[0], **changes)  # type: ignore[arg-type]
        return replace(offer, fees=(first, *offer.fees[1:]))

    def other_meters(self, offer: Offer) -> Offer:
        """One that was left out is priced, or the last one no more."""
        if len(offer.metered) > 1:
            return replace(offer, metered=offer.metered[:-1])
        meter = "tokens" if offer.metered[0].meter == "calls" else "calls"
        return replace(offer, metered=(*offer.metered, Metered(meter, meter, ((None, "0.0091"),))))

    def other_interval(self, offer: Offer) -> Offer:
        """Fees for another time, usage as often as before."""
        if offer.usage_every != ("month", 1):
            return offer
        return replace(
            offer, fees_every=self.chance.choice([one for one in MONTHS if one != offer.fees_every])
        )
