"""The preview beside a price: what the unsaved form would cost, by the code that bills."""

import json
import re
from decimal import Decimal
from typing import Any

import pytest

from apps.catalog.admin.preview import Typed, ladder, preview_of
from apps.catalog.models import PlanVersion
from apps.catalog.services.versions import publish_version
from apps.core import clock
from apps.rating import parse_price
from apps.tenants.models import Tenant
from tests.admin.price_forms import price_form
from tests.admin.test_pages import page
from tests.harness.clients import Staff
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import flat, make_meter, make_plan

URL = page("catalog.price", "preview")
TIERS = [{"up_to": "1000", "unit_amount": "0.01", "flat_amount": "5"}, {"up_to": "", "unit_amount": "0.005"}]


@pytest.fixture
def draft(in_acme: Tenant) -> PlanVersion:
    make_meter("tokens", dimensions=["model"])
    return make_plan("pro", [flat("49.00")], publish=False)


def shown(person: Staff, draft: PlanVersion, **form: Any) -> Any:
    response = person.post(URL, {**price_form(**form), "plan_version": draft.pk})
    assert response.status_code == 200
    return response


def ladder_in(response: Any) -> list[tuple[str, str]]:
    return [(row["quantity"], row["amount"]) for row in response.context["preview"]["rows"]]


def missing_in(response: Any) -> list[tuple[str, str]]:
    return [(one["field"], one["text"]) for one in response.context["preview"]["missing"]]


def test_bounds_and_the_unit_after_them(olga: Staff, draft: PlanVersion) -> None:
    response = shown(
        olga, draft, model="graduated", meter="tokens", tiers=TIERS, first_tier_flat_at_zero="on"
    )
    assert ladder_in(response) == [
        ("0", "$5.00"),
        ("1", "$5.01"),
        ("1,000", "$15.00"),
        ("1,001", "$15.01"),
    ]  # fmt: skip


def test_a_typed_quantity_is_explained(olga: Staff, draft: PlanVersion) -> None:
    response = shown(olga, draft, model="graduated", meter="tokens", tiers=TIERS, preview_quantity="1500")
    asked = response.context["preview"]["asked"]
    assert (asked["quantity"], asked["amount"]) == ("1,500", "$17.50")
    assert [step["amount"] for step in asked["steps"]] == ["15.00", "2.50"]
    content = response.content.decode()
    assert "Tier 1 (up to 1,000): 1,000 token × 0.01 USD + 5 USD" in content


def test_the_curve_goes_through_the_bounds(olga: Staff, draft: PlanVersion) -> None:
    content = shown(olga, draft, model="volume", meter="tokens", tiers=TIERS).content.decode()
    data = re.search(r'<script id="price-curve" type="application/json">(.*?)</script>', content)
    assert data is not None
    curve = json.loads(data[1])
    points = {Decimal(x): Decimal(y) for x, y in curve["points"]}
    assert points[Decimal(1000)] == Decimal(15)
    assert points[Decimal("1000.75")] == Decimal("5.00375")  # the jump just after the bound
    assert max(points) == 1500
    assert (curve["currency"], curve["places"], curve["unit"]) == ("USD", 2, "tokens")


def test_an_incomplete_price_says_what_it_lacks(olga: Staff, draft: PlanVersion) -> None:
    assert missing_in(shown(olga, draft, meter="tokens")) == [("Unit amount", "Fill this in.")]
    assert missing_in(shown(olga, draft, meter="tokens", unit_amount="x")) == [
        ("Unit amount", "Enter a number.")
    ]
    response = shown(olga, draft, model="graduated", meter="tokens", tiers=TIERS[:1])
    assert missing_in(response) == [
        ("Tier 1, up to", "Leave this empty: the last tier takes all that is beyond.")
    ]
    assert missing_in(shown(olga, draft, model="volume")) == [("Tiers", "Add at least one tier.")]


def test_names_and_codes_do_not_matter(olga: Staff, draft: PlanVersion) -> None:
    response = shown(olga, draft, name="", code="", unit_amount="2")
    assert ladder_in(response) == [("0", "$0.00"), ("1", "$2.00")]


def test_a_bad_filter_does_not_matter(olga: Staff, draft: PlanVersion) -> None:
    assert ladder_in(shown(olga, draft, meter="tokens", unit_amount="2", filters={"": ["x"]}))
    response = shown(olga, draft, meter="tokens", filters={"model": []})
    assert missing_in(response) == [("", "This field is required.")]


@pytest.mark.parametrize("text", ["abc", "NaN", "-1", "1e400", "Infinity", "9" * 60, "0." + "1" * 40])
def test_odd_quantities_get_an_answer(olga: Staff, draft: PlanVersion, text: str) -> None:
    response = shown(olga, draft, unit_amount="2", meter="tokens", preview_quantity=text)
    assert "preview_quantity" in response.context["preview"]["wrong"]


def test_nothing_is_stored(olga: Staff, draft: PlanVersion) -> None:
    olga.get("/admin/")
    with nothing_changes_in("acme"):
        shown(olga, draft, model="graduated", meter="tokens", tiers=TIERS)


def test_a_dynamic_price_asks_for_the_events_price(olga: Staff, draft: PlanVersion) -> None:
    response = shown(
        olga, draft, model="dynamic", meter="tokens", unit_amount_property="price",
        preview_quantity="10", preview_unit_amount="0.3",
    )  # fmt: skip
    assert response.context["preview"]["asked"]["amount"] == "$3.00"


def test_a_percentage_asks_for_the_number_of_events(olga: Staff, draft: PlanVersion) -> None:
    """Of ten payments of 10.00 the first two are free."""
    response = shown(
        olga, draft, model="percentage", meter="tokens", rate="0.1", fixed_amount="0.3", events_included="2",
        preview_quantity="100", preview_events="10",
    )  # fmt: skip
    assert response.context["preview"]["asked"]["amount"] == "$10.40"


def test_a_flat_fee_has_no_curve(olga: Staff, draft: PlanVersion) -> None:
    preview = shown(olga, draft, model="flat", flat_amount="10").context["preview"]
    assert (preview["rows"], preview["curve"], preview["asked"]["amount"]) == ([], None, "$10.00")


def test_bounds_are_metered_quantities() -> None:
    """10 billed units, priced per thousand, after 2 that are free: 12,000 metered ones."""
    definition = parse_price(
        {
            "model": "graduated",
            "tiers": [{"up_to": "10", "unit_amount": "1"}, {"up_to": None, "unit_amount": "0.5"}],
            "convert": {"divide_by": "1000", "rounding": "up"},
            "quantity_included": "2",
        }
    )
    assert [int(quantity) for quantity in ladder(definition)] == [0, 1, 2000, 2001, 12000, 12001]


@pytest.mark.parametrize(
    "document",
    [
        {"model": "per_unit", "unit_amount": "0"},
        {"model": "per_unit", "unit_amount": "0.000000000000000001"},
        {"model": "per_unit", "unit_amount": "99999999999999999999"},
        {"model": "package", "unit_amount": "1", "package_size": "0.5"},
        {"model": "package", "unit_amount": "1", "package_size": "10000000000000000000"},
        {"model": "per_unit", "unit_amount": "1", "maximum_amount": "5", "minimum_amount": "5"},
        {"model": "per_unit", "unit_amount": "1", "discount_percent": "100", "minimum_amount": "1"},
        {"model": "per_unit", "unit_amount": "1", "convert": {"divide_by": "3", "rounding": "half_up"}},
        {"model": "per_unit", "unit_amount": "1", "convert": {"multiply_by": "7"}, "quantity_included": "1"},
        {"model": "percentage", "rate": "0", "amount_included": "3"},
        {"model": "percentage", "rate": "1", "events_included": 0, "fixed_amount": "1"},
        {"model": "cost_plus", "multiplier": "0"},
        {"model": "dynamic", "quantity_included": "10"},
        {"model": "per_unit", "unit_amount": "1", "commitment": {"quantity": "5", "true_up": True}},
        {
            "model": "volume",
            "tiers": [
                {"up_to": "99999999999999999999", "unit_amount": "1"},
                {"up_to": None, "unit_amount": "2"},
            ],
        },
    ],
)
@pytest.mark.parametrize("currency", ["USD", "JPY", "KWD"])
def test_odd_prices_are_drawn(document: dict[str, Any], currency: str) -> None:
    definition = parse_price(document, currency=currency)
    shown = preview_of(definition, currency=currency, unit="token", typed=Typed())
    points = [Decimal(x) for x, _ in shown["curve"]["points"]]
    assert points == sorted(set(points))
    assert len(points) <= 200


# Who may


def test_a_reader_tries_quantities_but_no_form(reader: Staff, draft: PlanVersion) -> None:
    price = draft.prices.get()
    assert reader.post(URL, {"price": price.pk}).context["preview"]["asked"]["amount"] == "$49.00"
    form = {**price_form(model="flat", flat_amount="1"), "plan_version": draft.pk}
    assert reader.post(URL, form).status_code == 403


def test_a_published_price_can_still_be_tried(olga: Staff, draft: PlanVersion) -> None:
    publish_version(version=draft, now=clock.now())
    price = draft.prices.get()
    assert olga.post(URL, {"price": price.pk}).context["preview"]["asked"]["amount"] == "$49.00"
    crafted = {**price_form(model="flat", flat_amount="1"), "price": price.pk}
    assert olga.post(URL, crafted).status_code == 403


def test_the_preview_is_a_post_with_a_token(olga: Staff, draft: PlanVersion) -> None:
    assert olga.get(URL).status_code == 405
    olga.client.handler.enforce_csrf_checks = True
    assert olga.post(URL, {"plan_version": draft.pk, **price_form()}).status_code == 403


def test_what_is_not_there_is_not_found(olga: Staff, stan: Staff, draft: PlanVersion) -> None:
    for price in ("999999", "abc"):
        assert olga.post(URL, {"price": price}).status_code == 404
    assert stan.post(URL, {"price": draft.prices.get().pk}).status_code == 404


def test_somebody_without_a_role_sees_nothing(reader: Staff, draft: PlanVersion) -> None:
    reader.user.groups.clear()
    assert reader.post(URL, {"price": draft.prices.get().pk}).status_code == 403
