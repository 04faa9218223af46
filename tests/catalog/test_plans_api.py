"""/plans and their versions: every model in and out, drafts that change, published versions that don't."""

from typing import Any

import pytest

from apps.audit.models import AuditEntry
from apps.catalog.models import Meter, Plan, PlanVersion, Price, PriceFilter, PriceTier
from apps.tenants.models import Tenant
from tests.harness.clients import Api
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import make_meter

BOUNDS = [
    {"up_to": "1000", "unit_amount": "0.01", "flat_amount": "5"},
    {"up_to": None, "unit_amount": "0.005"},
]

MODELS: dict[str, dict[str, Any]] = {
    "flat": {"flat_amount": "20", "discount_percent": "10"},
    "per_unit": {
        "unit_amount": "0.000000000000000001",
        "convert": {"divide_by": "1000", "rounding": "up"},
        "quantity_included": "2.5",
        "commitment": {"quantity": "100", "true_up": True, "overage_factor": "1.500000000000000001"},
    },
    "graduated": {
        "tiers": BOUNDS,
        "first_tier_flat_at_zero": False,
        "minimum_amount": "1",
        "maximum_amount": "99",
    },
    "volume": {"tiers": BOUNDS, "discount_amount": "0.5"},
    "package": {"package_size": "1000", "unit_amount": "0.35"},
    "percentage": {
        "rate": "0.029",
        "fixed_amount": "0.3",
        "events_included": 10**17,
        "amount_included": "99999999999999999999.999999999999999999",
    },
    "graduated_percentage": {"tiers": [{"up_to": "10000", "rate": "0.02"}, {"up_to": None, "rate": "0.01"}]},
    "dynamic": {"unit_amount_property": "unit_price", "convert": {"multiply_by": "2"}},
    "cost_plus": {"multiplier": "1.2", "commitment": {"amount": "50"}},
}


def price(model: str, code: str = "p", **more: Any) -> dict[str, Any]:
    found = {"code": code, "name": code.title(), "model": model, **MODELS[model], **more}
    return found if model == "flat" else {"meter": "tokens", **found}


def plan(*prices: Any, code: str = "pro", **more: Any) -> dict[str, Any]:
    return {"code": code, "name": "Pro", "prices": list(prices), **more}


def created(api: Api, body: Any) -> dict[str, Any]:
    response = api.post("/plans", body)
    assert response.status_code == 201, response.content
    found: dict[str, Any] = response.json()
    return found


def refused(response: Any, status: int = 400) -> dict[str, Any]:
    assert response.status_code == status, response.content
    found: dict[str, Any] = response.json()
    return found


def rows() -> tuple[int, ...]:
    return tuple(
        model.objects.count() for model in (Plan, PlanVersion, Price, PriceTier, PriceFilter, AuditEntry)
    )


@pytest.mark.parametrize("model", MODELS)
def test_every_model_comes_back_as_it_was_sent(tokens: Meter, acme_api: Api, model: str) -> None:
    sent = price(model)
    [shown] = created(acme_api, plan(sent))["prices"]
    assert {name: shown[name] for name in sent} == sent | (
        {"convert": {"multiply_by": "2", "rounding": "none"}} if model == "dynamic" else {}
    ) | (
        {"commitment": {"amount": "50", "true_up": False, "overage_factor": "1"}}
        if model == "cost_plus"
        else {}
    )
    assert acme_api.get("/plans/pro/versions/1").json()["prices"] == [shown]


@pytest.mark.parametrize("model", MODELS)
def test_what_was_stored_costs_what_was_sent(tokens: Meter, acme_api: Api, model: str) -> None:
    """The same price in a preview by itself and as part of the plan."""
    sent = price(model)
    created(acme_api, plan(sent))
    definition = {name: value for name, value in sent.items() if name in MODELS[model] or name == "model"}
    definition.pop("unit_amount_property", None)
    quantity = "0" if model in {"flat", "dynamic"} else "123456.789"
    # A percentage price has an amount for each event, so that their number has to be told.
    used = {"quantity": quantity, "event_count": 7} if model == "percentage" else {"quantity": quantity}
    alone = acme_api.post("/prices/preview", {"currency": "USD", **used, "price": definition}).json()
    quantities = {} if model == "flat" else {"p": used if "event_count" in used else quantity}
    [line] = acme_api.post("/prices/preview", {"plan": "pro", "version": 1, "quantities": quantities}).json()[
        "lines"
    ]
    assert (line["amount"], line["unrounded_amount"]) == (alone["amount"], alone["unrounded_amount"])


def test_a_plan_of_all_models_with_filters(tokens: Meter, acme_api: Api) -> None:
    prices = [
        price("flat", "base", billing_timing="advance"),
        price("flat", "setup", billing_timing="once"),
        price("graduated", "gpt-5", filters={"model": ["gpt-5"]}),
        price("volume", "eu", filters={"model": ["gpt-5"], "region": ["eu", "us"]}),
        price("per_unit", "rest"),
    ]
    found = created(acme_api, plan(*prices))
    assert [(one["code"], one["billing_timing"], one["filters"]) for one in found["prices"]] == [
        ("base", "advance", {}),
        ("setup", "once", {}),
        ("gpt-5", "arrears", {"model": ["gpt-5"]}),
        ("eu", "arrears", {"model": ["gpt-5"], "region": ["eu", "us"]}),
        ("rest", "arrears", {}),
    ]
    assert (found["number"], found["status"], found["currency"], found["price_book"]) == (
        1,
        "draft",
        "USD",
        None,
    )


BAD: dict[str, tuple[Any, str, str]] = {
    "tiers out of order": (
        price("graduated", tiers=[BOUNDS[0], {"up_to": "5", "unit_amount": "1"}, BOUNDS[1]]),
        "/prices/0/tiers/1/up_to",
        "tiers_out_of_order",
    ),
    "an unknown meter": (price("per_unit", meter="seats"), "/prices/0/meter", "unknown_meter"),
    "no meter": (price("per_unit", meter=None), "/prices/0/meter", "missing_field"),
    "a meter for a fee": (price("flat", meter="tokens"), "/prices/0/meter", "field_not_allowed"),
    "filters for a fee": (price("flat", filters={"model": ["x"]}), "/prices/0/meter", "field_not_allowed"),
    "an unknown dimension": (
        price("per_unit", filters={"colour": ["blue"]}),
        "/prices/0/filters/colour",
        "unknown_dimension",
    ),
    "a filter of nothing": (price("per_unit", filters={"model": []}), "/prices/0/filters/model", "empty"),
    "a filter that is no list": (
        price("per_unit", filters={"model": "x"}),
        "/prices/0/filters/model",
        "not_a_list",
    ),
    "usage in advance": (
        price("per_unit", billing_timing="advance"),
        "/prices/0/billing_timing",
        "field_not_allowed",
    ),
    "a dynamic price of no property": (
        price("dynamic", unit_amount_property=""),
        "/prices/0/unit_amount_property",
        "blank",
    ),
    "a property for another model": (
        price("package", unit_amount_property="x"),
        "/prices/0/unit_amount_property",
        "invalid_field",
    ),
    "another currency": (price("package", currency="EUR"), "/prices/0/currency", "mixed_currencies"),
    "an unknown field": (price("package", colour="blue"), "/prices/0/colour", "unknown_field"),
    "an unknown model": ({"code": "p", "name": "P", "model": "auction"}, "/prices/0/model", "invalid_choice"),
    "a bad code": (price("flat", code="P p"), "/prices/0/code", "invalid"),
    "no name": (price("flat", name=""), "/prices/0/name", "blank"),
    "no object": ("flat", "/prices/0", "invalid"),
    "a float of an exponent": (
        price("package", unit_amount="1e-3"),
        "/prices/0/unit_amount",
        "invalid_number",
    ),
    "too long a number": (price("package", unit_amount="1" * 21), "/prices/0/unit_amount", "out_of_range"),
    "too many free events": (
        price("percentage", events_included=10**18),
        "/prices/0/events_included",
        "out_of_range",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_price_is_refused_and_nothing_is_stored(tokens: Meter, acme_api: Api, name: str) -> None:
    body, pointer, code = BAD[name]
    before = rows()
    with nothing_changes_in("acme", "public"):
        found = refused(acme_api.post("/plans", plan(body)))
    assert rows() == before
    assert (pointer, code) in {(one["param"], one["code"]) for one in found["errors"]}


def test_all_problems_of_all_prices_come_together(tokens: Meter, acme_api: Api) -> None:
    found = refused(
        acme_api.post(
            "/plans",
            plan(
                price("package", package_size="-1"),
                price("flat"),
                price("per_unit", "q", meter="seats", unit_amount="x"),
            ),
        )
    )
    assert {(one["param"], one["code"]) for one in found["errors"]} == {
        ("/prices/0/package_size", "negative"),
        ("/prices/1/code", "duplicate_price"),
        ("/prices/2/unit_amount", "invalid_number"),
        ("/prices/2/meter", "unknown_meter"),
    }
    assert (found["param"], found["code"]) == ("/prices/0/package_size", "negative")


@pytest.mark.parametrize("currency", ["usd", "XAU", "XXX", "", "EURO", 5])
def test_a_plan_in_no_currency_is_refused(tokens: Meter, acme_api: Api, currency: Any) -> None:
    found = refused(acme_api.post("/plans", plan(price("flat"), currency=currency)))
    assert found["param"] == "/currency"


def test_two_prices_of_the_same_usage_are_refused(tokens: Meter, acme_api: Api) -> None:
    """The second would never take any. Overlapping ones are fine: the first in the plan's order wins."""
    same = {"model": ["a", "b"]}
    for first, second in ((None, None), (same, {"model": ["b", "a", "a"]})):
        prices = [price("package", "p"), price("per_unit", "q")]
        for one, filters in zip(prices, (first, second), strict=True):
            if filters:
                one["filters"] = filters
        found = refused(acme_api.post("/plans", plan(price("flat", "base"), *prices)))
        assert (found["code"], found["param"]) == ("duplicate_price", "/prices/2/meter")
    overlapping = [price("package", "p", filters=same), price("per_unit", "q", filters={"model": ["b"]})]
    created(acme_api, plan(*overlapping))


def test_a_code_is_taken_once(tokens: Meter, acme_api: Api) -> None:
    created(acme_api, plan(price("flat")))
    with nothing_changes_in("acme"):
        assert refused(acme_api.post("/plans", plan(price("flat"))), 409)["code"] == "plan_exists"


def test_the_same_request_with_one_key_makes_one_plan(tokens: Meter, acme_api: Api) -> None:
    first = acme_api.post("/plans", plan(price("flat")), idempotency_key="a")
    again = acme_api.post("/plans", plan(price("flat")), idempotency_key="a")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert PlanVersion.objects.count() == 1


# --- Drafts


def test_a_draft_is_written_anew(tokens: Meter, acme_api: Api) -> None:
    created(acme_api, plan(price("graduated", "a", filters={"model": ["x"]}), price("flat", "b")))
    response = acme_api.put(
        "/plans/pro/versions/1", {"currency": "EUR", "prices": [price("volume", "c"), price("flat", "b")]}
    )
    assert response.status_code == 200, response.content
    found = response.json()
    assert found["currency"] == "EUR"
    assert [(one["code"], one["model"]) for one in found["prices"]] == [("c", "volume"), ("b", "flat")]
    assert (Price.objects.count(), PriceTier.objects.count(), PriceFilter.objects.count()) == (2, 2, 0)
    assert AuditEntry.objects.filter(action="plan_version.changed").count() == 1


def test_a_draft_that_is_written_wrongly_stays_as_it_was(tokens: Meter, acme_api: Api) -> None:
    created(acme_api, plan(price("graduated", "a", filters={"model": ["x"]})))
    with nothing_changes_in("acme"):
        refused(acme_api.put("/plans/pro/versions/1", {"prices": [price("package", package_size="-1")]}))
        refused(acme_api.put("/plans/pro/versions/1", {}))


def test_a_draft_is_thrown_away(tokens: Meter, acme_api: Api) -> None:
    created(acme_api, plan(price("graduated", filters={"model": ["x"]})))
    assert acme_api.delete("/plans/pro/versions/1").status_code == 204
    assert (Price.objects.count(), PriceTier.objects.count(), PriceFilter.objects.count()) == (0, 0, 0)
    assert acme_api.get("/plans/pro").json()["versions"] == []
    assert AuditEntry.objects.filter(action="plan_version.deleted").count() == 1


def test_a_second_version_is_drafted_beside_the_first(tokens: Meter, acme_api: Api) -> None:
    created(acme_api, plan(price("flat")))
    response = acme_api.post("/plans/pro/versions", {"prices": [price("flat", flat_amount="25")]})
    assert (response.status_code, response.json()["number"]) == (201, 2)
    assert [one["number"] for one in acme_api.get("/plans/pro").json()["versions"]] == [2, 1]


# --- Published and archived


@pytest.fixture
def published(tokens: Meter, acme_api: Api) -> dict[str, Any]:
    created(acme_api, plan(price("graduated", filters={"model": ["x"]})))
    response = acme_api.post("/plans/pro/versions/1/publish")
    assert (response.status_code, response.json()["status"]) == (200, "published")
    found: dict[str, Any] = response.json()
    return found


def test_a_published_version_is_frozen(published: dict[str, Any], acme_api: Api) -> None:
    with nothing_changes_in("acme"):
        for response in (
            acme_api.put("/plans/pro/versions/1", {"prices": [price("flat")]}),
            acme_api.delete("/plans/pro/versions/1"),
            acme_api.post("/plans/pro/versions/1/publish"),
        ):
            assert refused(response, 409)["code"] == "not_a_draft"
    assert acme_api.get("/plans/pro/versions/1").json() == published


def test_an_archived_version_is_off_offer_and_frozen_too(published: dict[str, Any], acme_api: Api) -> None:
    response = acme_api.post("/plans/pro/versions/1/archive")
    assert (response.status_code, response.json()["status"]) == (200, "archived")
    with nothing_changes_in("acme"):
        assert refused(acme_api.post("/plans/pro/versions/1/archive"), 409)["code"] == "not_published"
        assert refused(acme_api.delete("/plans/pro/versions/1"), 409)["code"] == "not_a_draft"
        assert acme_api.post("/prices/preview", {"plan": "pro"}).status_code == 404
    assert acme_api.post("/prices/preview", {"plan": "pro", "version": 1}).status_code == 200


def test_a_draft_is_not_archived(tokens: Meter, acme_api: Api) -> None:
    created(acme_api, plan(price("flat")))
    assert refused(acme_api.post("/plans/pro/versions/1/archive"), 409)["code"] == "not_published"


def test_a_version_without_prices_is_not_published(tokens: Meter, acme_api: Api) -> None:
    created(acme_api, plan())
    assert refused(acme_api.post("/plans/pro/versions/1/publish"), 409)["code"] == "no_prices"


def test_publishing_asks_what_happens_to_the_others(tokens: Meter, acme_api: Api) -> None:
    created(acme_api, plan(price("flat")))
    found = refused(acme_api.post("/plans/pro/versions/1/publish", {"existing": "perhaps"}))
    assert found["param"] == "/existing"
    assert refused(acme_api.post("/plans/pro/versions/1/publish", {"existng": "now"}))["param"] == "/existng"
    assert acme_api.post("/plans/pro/versions/1/publish", {"existing": "at_renewal"}).status_code == 200


# --- Who may


def test_a_stranger_finds_nothing(published: dict[str, Any], globex_api: Api, globex: Tenant) -> None:
    with nothing_changes_in("acme", "globex"):
        for response in (
            globex_api.get("/plans/pro"),
            globex_api.get("/plans/pro/versions/1"),
            globex_api.put("/plans/pro/versions/1", {"prices": []}),
            globex_api.delete("/plans/pro/versions/1"),
            globex_api.post("/plans/pro/versions", {"prices": []}),
            globex_api.post("/plans/pro/versions/1/publish"),
            globex_api.post("/plans/pro/versions/1/archive"),
            globex_api.get("/meters/tokens"),
        ):
            assert response.status_code == 404
        # Our meter is no meter of theirs.
        assert refused(globex_api.post("/plans", plan(price("package"))))["code"] == "unknown_meter"
    assert globex_api.get("/plans").json()["data"] == []


def test_without_a_key_nothing_is_read_or_written(published: dict[str, Any], anonymous_api: Api) -> None:
    for response in (
        anonymous_api.get("/plans"),
        anonymous_api.post("/plans", plan(price("flat"))),
        anonymous_api.put("/plans/pro/versions/1", {}),
        anonymous_api.delete("/plans/pro/versions/1"),
    ):
        assert response.status_code == 401


def test_an_archived_meter_takes_no_new_prices(in_acme: Tenant, acme_api: Api) -> None:
    meter = make_meter("tokens")
    Meter.objects.filter(pk=meter.pk).update(archived_at="2026-01-01T00:00:00Z")
    assert refused(acme_api.post("/plans", plan(price("package"))))["code"] == "unknown_meter"


def test_a_plan_s_words_may_change(tokens: Meter, acme_api: Api) -> None:
    created(acme_api, plan(price("flat")))
    acme_api.post("/products", {"code": "api", "name": "API"})
    changed = acme_api.patch("/plans/pro", {"name": "Professional", "product": "api"}).json()
    assert (changed["name"], changed["product"], len(changed["versions"])) == ("Professional", "api", 1)
    assert AuditEntry.objects.filter(action="plan.changed").count() == 1
    refused = acme_api.patch("/plans/pro", {"code": "other"})
    assert (refused.status_code, refused.json()["param"]) == (400, "/code")
