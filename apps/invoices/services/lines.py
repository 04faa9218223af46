"""A line of an invoice before it is stored, and what it takes to make one."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from apps.catalog.models import Meter, PlanVersion, Price
from apps.invoices.models import InvoiceLine, OneOffCharge
from apps.rating import Charge, Step
from apps.subscriptions.models import SubscriptionPhase
from apps.subscriptions.periods import Period
from apps.subscriptions.timeline import Stage

Kind = InvoiceLine.Kind
Proration = PlanVersion.Proration
Treatment = SubscriptionPhase.Treatment
UTC_ZONE = ZoneInfo("UTC")
# The key of no version: it has no prices.
NOBODY = 0


@dataclass(frozen=True, slots=True)
class Share:
    """What a customer has of a line: a team, or the payer itself. `amount` is in whole minor units."""

    customer_id: int
    quantity: Decimal
    event_count: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class ComputedLine:
    """`quantity` and `event_count` are None for fees. `amount` is rounded, `unrounded_amount` is not.

    Asked for by a price, or by a one-off charge.
    """

    kind: InvoiceLine.Kind
    price: Price | None
    description: str
    period: Period
    quantity: Decimal | None
    event_count: int | None
    unrounded_amount: Decimal
    amount: Decimal
    steps: tuple[Step, ...]
    # Who used what of it, where an organization pays for its teams.
    shares: tuple[Share, ...] = ()
    one_off: OneOffCharge | None = None

    @property
    def meter(self) -> Meter | None:
        return None if self.price is None else self.price.meter


@dataclass(frozen=True, slots=True)
class Unpriced:
    """Usage of a meter that no price of the version takes. Shown to staff, never dropped.

    `team` is the id (`cus_…`) of the team that used it; empty for the customer itself.
    """

    meter_id: int
    meter_code: str
    dimensions: Mapping[str, str]
    period: Period
    quantity: Decimal
    event_count: int
    team: str = ""


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a period during which the same counts. `full` is the whole fee period, for shares of fees."""

    version_id: int
    period: Period
    full: Period
    quantity: int = 1
    treatment: str = Treatment.BILLED
    proration: str = Proration.SECOND
    time_zone: ZoneInfo = UTC_ZONE

    @classmethod
    def of(cls, stage: Stage, full: Period) -> "Segment":
        assert stage.end is not None
        return cls(
            stage.version_id,
            Period(stage.start, stage.end),
            full,
            stage.quantity,
            stage.treatment,
            stage.proration,
            stage.basis.time_zone,
        )

    @property
    def has_fees(self) -> bool:
        return self.treatment == Treatment.BILLED

    @property
    def prices_key(self) -> int:
        """Whose prices take the usage of the segment; nobody's while the subscription is paused."""
        return NOBODY if self.treatment == Treatment.PAUSED else self.version_id

    @property
    def share(self) -> Fraction | None:
        """The segment's share of the whole period in time; None when it is all of it."""
        if self.period == self.full:
            return None
        if self.proration == Proration.DAY:
            return Fraction(days(self.period, self.time_zone), days(self.full, self.time_zone))
        return Fraction(microseconds(self.period), microseconds(self.full))


def days(period: Period, time_zone: ZoneInfo) -> int:
    """From local date to local date: the first day counts in full and the last one not at all, so days add up."""
    first, last = (one.astimezone(time_zone).date() for one in (period.start, period.end))
    return (last - first).days


def microseconds(period: Period) -> int:
    """Whole microseconds, so that shares are exact."""
    length = period.end - period.start
    return (length.days * 86_400 + length.seconds) * 1_000_000 + length.microseconds


def fee_line(
    kind: InvoiceLine.Kind, price: Price, description: str, period: Period, charge: Charge
) -> ComputedLine:
    return ComputedLine(
        kind, price, description, period, None, None, charge.unrounded_amount, charge.amount, charge.steps
    )


def prices_of(version_ids: set[int]) -> dict[int, list[Price]]:
    """The prices of versions in their order, with all that rating and assigning need; three queries."""
    found: dict[int, list[Price]] = {version_id: [] for version_id in (*version_ids, NOBODY)}
    for price in whole_prices().filter(plan_version_id__in=version_ids):
        found[price.plan_version_id].append(price)
    return found


def prices_by_id(price_ids: set[int]) -> dict[int, Price]:
    """The same for certain prices; no query where none is asked for."""
    return {price.pk: price for price in whole_prices().filter(pk__in=price_ids)} if price_ids else {}


def whole_prices() -> QuerySet[Price]:
    return (
        Price.objects.select_related("meter", "plan_version__plan")
        .prefetch_related("tiers", "filters")
        .order_by("position", "id")
    )
