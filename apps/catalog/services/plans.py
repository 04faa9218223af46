"""Draft, publish and archive versions of a plan."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import Max

from apps.audit.services.record import record
from apps.catalog.models import Meter, Plan, PlanVersion, Price
from apps.core.errors import Invalid, Refused


@dataclass(frozen=True, slots=True)
class NewPrice:
    """One price as an integrator or a form gives it. `meter` is a meter's code, empty for a flat fee."""

    code: str
    name: str
    model: str
    meter: str = ""
    unit_amount: Decimal | None = None
    flat_amount: Decimal | None = None


@transaction.atomic
def create_plan(
    *, code: str, name: str, currency: str, prices: list[NewPrice], description: str = ""
) -> PlanVersion:
    """Create a plan with version 1 as a draft. Raises `Refused` plan_exists, and what `draft_version` raises."""
    plan, created = Plan.objects.get_or_create(code=code, defaults={"name": name, "description": description})
    if not created:
        raise Refused("plan_exists", f"There is a plan {code!r} already.", param="/code")
    record(action="plan.created", target=plan)
    return draft_version(plan=plan, currency=currency, prices=prices)


@transaction.atomic
def draft_version(*, plan: Plan, currency: str, prices: list[NewPrice]) -> PlanVersion:
    """Add the next version as a draft with its prices, in their order.

    Raises `Invalid` unknown_meter, invalid_price, duplicate_price, each with a pointer into `prices`.
    """
    Plan.objects.select_for_update().get(pk=plan.pk)
    latest = plan.versions.aggregate(number=Max("number"))["number"] or 0
    version = PlanVersion.objects.create(plan=plan, number=latest + 1, currency=currency)
    meters = {meter.code: meter for meter in Meter.objects.filter(archived_at__isnull=True)}
    codes: set[str] = set()
    metered: set[str] = set()
    rows = []
    for index, price in enumerate(prices):
        at = f"/prices/{index}"
        if price.code in codes:
            raise Invalid("duplicate_price", f"Two prices have the code {price.code!r}.", param=f"{at}/code")
        codes.add(price.code)
        refuse_misfit(price, at)
        if price.meter and price.meter not in meters:
            raise Invalid("unknown_meter", f"There is no meter {price.meter!r}.", param=f"{at}/meter")
        if price.meter in metered:
            raise Invalid(
                "duplicate_price", f"Two prices are for the meter {price.meter!r}.", param=f"{at}/meter"
            )
        metered |= {price.meter} if price.meter else set()
        rows.append(
            Price(
                plan_version=version,
                position=index,
                code=price.code,
                name=price.name,
                model=price.model,
                meter=meters.get(price.meter),
                unit_amount=price.unit_amount,
                flat_amount=price.flat_amount,
            )
        )
    Price.objects.bulk_create(rows)
    return version


def refuse_misfit(price: NewPrice, at: str) -> None:
    """The same rule as the table's CHECK, with words."""
    is_flat = price.model == Price.Model.FLAT
    needed, foreign = ("flat_amount", "unit_amount") if is_flat else ("unit_amount", "flat_amount")
    if getattr(price, needed) is None:
        raise Invalid("invalid_price", f"A {price.model} price needs {needed}.", param=f"{at}/{needed}")
    if getattr(price, foreign) is not None:
        raise Invalid("invalid_price", f"A {price.model} price has no {foreign}.", param=f"{at}/{foreign}")
    if is_flat and price.meter:
        raise Invalid("invalid_price", "A flat price has no meter.", param=f"{at}/meter")
    if not is_flat and not price.meter:
        raise Invalid("invalid_price", f"A {price.model} price needs a meter.", param=f"{at}/meter")


@transaction.atomic
def publish_version(*, version: PlanVersion, now: datetime) -> PlanVersion:
    """Freeze a draft for good. Raises `Refused` not_a_draft, no_prices."""
    version = PlanVersion.objects.select_for_update().get(pk=version.pk)
    if not version.is_draft:
        raise Refused("not_a_draft", f"{version} is {version.status}; only a draft can be published.")
    if not version.prices.exists():
        raise Refused("no_prices", f"{version} has no prices yet; add at least one.")
    version.status = PlanVersion.Status.PUBLISHED
    version.published_at = now
    version.save(update_fields=["status", "published_at"])
    record(action="plan_version.published", target=version)
    return version


@transaction.atomic
def archive_version(*, version: PlanVersion) -> PlanVersion:
    """Take a published version off offer. Those subscribed stay on it. Raises `Refused` not_published."""
    changed = PlanVersion.objects.filter(pk=version.pk, status=PlanVersion.Status.PUBLISHED).update(
        status=PlanVersion.Status.ARCHIVED
    )
    if not changed:
        raise Refused(
            "not_published", f"{version} is {version.status}; only a published version can be archived."
        )
    version.refresh_from_db()
    record(action="plan_version.archived", target=version)
    return version
