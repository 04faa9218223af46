"""PostgreSQL itself refuses to change a published version: its row, prices, tiers and filters, by any statement."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from threading import Event

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Model

from apps.catalog.models import Meter, PlanVersion, Price, PriceBook, PriceFilter, PriceTier
from apps.catalog.services import versions
from apps.catalog.services.plans import NewPrice
from apps.tenants.models import Tenant
from tests.concurrency.together import together
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import flat, make_meter, make_plan

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TIERED = NewPrice(
    code="tokens",
    name="Tokens",
    model="graduated",
    meter="tokens",
    filters={"model": ["gpt-5"]},
    more={"tiers": [{"up_to": "10", "unit_amount": "1"}, {"up_to": None, "unit_amount": "0.5"}]},
)


@pytest.fixture
def published(tokens: Meter) -> PlanVersion:
    return make_plan("pro", [TIERED, flat("20")])


@pytest.fixture
def draft(published: PlanVersion) -> PlanVersion:
    """The next version, with the same prices."""
    return versions.duplicate_version(version=published)


PARTS: dict[str, Callable[[PlanVersion], Model]] = {
    "version": lambda version: version,
    "price": lambda version: version.prices.first(),
    "tier": lambda version: PriceTier.objects.filter(price__plan_version=version).first(),
    "filter": lambda version: PriceFilter.objects.get(price__plan_version=version),
}
# What is on offer may change.
MAY_CHANGE = {"version": {"status"}}


@pytest.mark.parametrize("status", ["published", "archived"])
@pytest.mark.parametrize("part", PARTS)
def test_no_column_can_be_changed(published: PlanVersion, part: str, status: str) -> None:
    if status == "archived":
        versions.archive_version(version=published)
    row = PARTS[part](published)
    table = row._meta.db_table
    columns = [
        field for field in row._meta.concrete_fields if field.attname not in MAY_CHANGE.get(part, set())
    ]
    other = make_plan("other", [TIERED], publish=False)
    PriceBook.objects.create(code="b", name="B", currency="USD")
    # A value that the column takes, and that differs from what is there.
    other_values = {"plan_version_id": other.pk, "price_id": other.prices.get().pk, "plan_id": other.plan_id}
    for field in columns:
        kind = field.db_type(connection)
        if field.attname in other_values:
            new = str(other_values[field.attname])
        elif field.attname == "price_book_id":
            new = "(SELECT id FROM catalog_pricebook)"
        elif kind == "boolean":
            new = f"NOT {field.column}"
        elif kind.startswith(("numeric", "bigint", "integer", "smallint")):
            new = f"coalesce({field.column}, 0) + 1"
        elif kind.startswith("timestamp"):
            new = f"coalesce({field.column}, now()) + interval '1 second'"
        elif kind.endswith("[]"):
            new = f"array_append({field.column}, 'x')"
        else:
            new = f"{field.column} || 'x'" if field.max_length > 3 else "'EUR'"
        with (
            nothing_changes_in("acme"),
            pytest.raises(IntegrityError, match="can't be changed"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(f'UPDATE {table} SET "{field.column}" = {new} WHERE id = %s', [row.pk])


@pytest.mark.parametrize("part", PARTS)
def test_nothing_can_be_deleted(published: PlanVersion, part: str) -> None:
    row = PARTS[part](published)
    rows = type(row)._default_manager.filter(pk=row.pk)
    with (
        nothing_changes_in("acme"),
        pytest.raises(IntegrityError, match="can't be changed"),
        transaction.atomic(),
    ):
        rows._raw_delete(rows.db)


ADDITIONS: dict[str, Callable[[PlanVersion], object]] = {
    "price": lambda version: Price.objects.create(
        plan_version=version, code="more", name="More", model="flat", flat_amount=1
    ),
    "tier": lambda version: PriceTier.objects.create(
        price=version.prices.get(code="tokens"), up_to=Decimal(99), unit_amount=0
    ),
    "filter": lambda version: PriceFilter.objects.create(
        price=version.prices.get(code="base"), dimension="model", values=["x"]
    ),
}


@pytest.mark.parametrize("part", ADDITIONS)
def test_nothing_can_be_added(published: PlanVersion, part: str) -> None:
    with (
        nothing_changes_in("acme"),
        pytest.raises(IntegrityError, match="can't be changed"),
        transaction.atomic(),
    ):
        ADDITIONS[part](published)


@pytest.mark.parametrize("part", ["tier", "filter"])
def test_nothing_can_be_moved_in_or_out(published: PlanVersion, draft: PlanVersion, part: str) -> None:
    fixed, loose = published.prices.get(code="base"), draft.prices.get(code="base")
    for row, price in ((PARTS[part](draft), fixed), (PARTS[part](published), loose)):
        rows = type(row)._default_manager.filter(pk=row.pk)
        with nothing_changes_in("acme"), pytest.raises(IntegrityError), transaction.atomic():
            rows.update(price=price)


def test_a_published_version_never_becomes_a_draft_again(published: PlanVersion) -> None:
    for status in ("draft", "published"):
        with pytest.raises(IntegrityError), transaction.atomic():
            PlanVersion.objects.filter(pk=published.pk).update(status=status, published_at=None)


@pytest.mark.parametrize("part", PARTS)
def test_a_draft_may_change(draft: PlanVersion, part: str) -> None:
    row = PARTS[part](draft)
    change = {"version": {"currency": "EUR"}, "price": {"name": "N"}, "tier": {"flat_amount": 1}}
    rows = type(row)._default_manager.filter(pk=row.pk)
    assert rows.update(**change.get(part, {"values": ["y"]})) == 1


@pytest.mark.parametrize("part", ADDITIONS)
def test_what_is_added_while_a_version_is_published_is_refused(
    fresh_database: str, in_acme: Tenant, part: str
) -> None:
    """It waits for the publisher, and then sees that it came too late."""
    make_meter("tokens", dimensions=["model"])
    version = make_plan("pro", [TIERED, flat("20")], publish=False)
    is_published, is_adding = Event(), Event()

    def publish() -> None:
        with transaction.atomic():
            versions.publish_version(version=version, now=NOW)
            is_published.set()
            is_adding.wait(10)
            time.sleep(0.2)  # the other one is at the trigger by now, or through it

    def add() -> None:
        is_published.wait(10)
        is_adding.set()
        ADDITIONS[part](version)

    published, added = together(in_acme, [publish, add])
    assert published is None
    assert isinstance(added, IntegrityError)


CONSTRAINTS: dict[str, dict[str, object]] = {
    "a fee with a unit amount": {"model": "flat", "flat_amount": 1, "unit_amount": 1},
    "a fee without amount": {"model": "flat"},
    "a fee below zero": {"model": "flat", "flat_amount": -1},
    "a minimum above the maximum": {
        "model": "flat",
        "flat_amount": 1,
        "minimum_amount": 2,
        "maximum_amount": 1,
    },
    "two discounts": {"model": "flat", "flat_amount": 1, "discount_percent": 1, "discount_amount": 1},
    "usage of no meter": {"model": "per_unit", "unit_amount": 1},
    "an unknown timing": {"model": "flat", "flat_amount": 1, "billing_timing": "someday"},
}


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_a_check_refuses_what_no_form_would_send(draft: PlanVersion, name: str) -> None:
    with nothing_changes_in("acme"), pytest.raises(IntegrityError), transaction.atomic():
        Price.objects.create(plan_version=draft, code="x", name="X", **CONSTRAINTS[name])


METERED_CONSTRAINTS: dict[str, dict[str, object]] = {
    "an unknown model": {"model": "auction"},
    "an unknown rounding": {
        "model": "per_unit", "unit_amount": 1, "convert_divide_by": 10, "convert_rounding": "even",
    },
    "a unit price without amount": {"model": "per_unit"},
    "a package of nothing": {"model": "package", "unit_amount": 1, "package_size": 0},
    "a package without size": {"model": "package", "unit_amount": 1},
    "a percentage without rate": {"model": "percentage"},
    "a dynamic price of no property": {"model": "dynamic"},
    "usage in advance": {"model": "per_unit", "unit_amount": 1, "billing_timing": "advance"},
    "two conversions": {
        "model": "per_unit", "unit_amount": 1, "convert_divide_by": 10, "convert_multiply_by": 10,
    },
    "a conversion by nothing": {"model": "per_unit", "unit_amount": 1, "convert_divide_by": 0},
    "two commitments": {"model": "per_unit", "unit_amount": 1, "commitment_amount": 1, "commitment_quantity": 1},
    "an overage factor below one": {
        "model": "per_unit", "unit_amount": 1, "commitment_overage_factor": Decimal("0.9"),
    },
}  # fmt: skip


@pytest.mark.parametrize("name", METERED_CONSTRAINTS)
def test_a_check_refuses_a_metered_price_that_makes_no_sense(
    tokens: Meter, draft: PlanVersion, name: str
) -> None:
    with nothing_changes_in("acme"), pytest.raises(IntegrityError), transaction.atomic():
        Price.objects.create(
            plan_version=draft, code="x", name="X", meter=tokens, **METERED_CONSTRAINTS[name]
        )


TIER_CONSTRAINTS: dict[str, dict[str, object]] = {
    "a bound of zero": {"up_to": 0, "unit_amount": 1},
    "a bound twice": {"up_to": 10, "unit_amount": 1},
    "a second open tier": {"up_to": None, "unit_amount": 1},
    "a tier that costs nothing said": {"up_to": 99},
    "a rate and a unit amount": {"up_to": 99, "rate": 0, "unit_amount": 1},
    "a rate above one": {"up_to": 99, "rate": 2},
    "a negative amount": {"up_to": 99, "unit_amount": -1},
}


@pytest.mark.parametrize("name", TIER_CONSTRAINTS)
def test_a_check_refuses_a_tier_that_makes_no_sense(draft: PlanVersion, name: str) -> None:
    price = draft.prices.get(code="tokens")
    with nothing_changes_in("acme"), pytest.raises(IntegrityError), transaction.atomic():
        PriceTier.objects.create(price=price, **TIER_CONSTRAINTS[name])
