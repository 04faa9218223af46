"""/products, /features and /price_books: what plans refer to."""

from typing import Any

import pytest

from apps.audit.models import AuditEntry
from apps.catalog.models import Meter
from apps.tenants.models import Tenant
from tests.harness.clients import Api
from tests.harness.evidence import nothing_changes_in

FEE = {"code": "base", "name": "Base", "model": "flat", "flat_amount": "20"}

EXAMPLES: dict[str, dict[str, Any]] = {
    "/products": {"code": "chat", "name": "Chat", "description": "Answers."},
    "/features": {"code": "search", "name": "Search", "description": "", "meter": None},
    "/price_books": {
        "code": "eu-web",
        "name": "EU web",
        "storefront": "web",
        "region": "EU",
        "currency": "EUR",
    },
}


@pytest.mark.parametrize("path", EXAMPLES)
def test_create_read_list_and_change(in_acme: Tenant, acme_api: Api, path: str) -> None:
    sent = EXAMPLES[path]
    response = acme_api.post(path, sent)
    assert response.status_code == 201, response.content
    made = response.json()
    assert {name: made[name] for name in sent} == sent
    one = f"{path}/{sent['code']}"
    assert acme_api.get(one).json() == made
    assert acme_api.get(path).json()["data"] == [made]
    changed = acme_api.patch(one, {"name": "Another"})
    assert (changed.status_code, changed.json()) == (200, made | {"name": "Another"})
    assert AuditEntry.objects.filter(action__endswith=".changed").count() == 1


@pytest.mark.parametrize("path", EXAMPLES)
@pytest.mark.parametrize(
    "change",
    [{"code": "No Spaces"}, {"code": None}, {"name": ""}, {"colour": "blue"}, {"name": "\x00"}, {"name": {}}],
)
def test_what_is_wrong_is_refused(in_acme: Tenant, acme_api: Api, path: str, change: dict[str, Any]) -> None:
    with nothing_changes_in("acme"):
        response = acme_api.post(path, EXAMPLES[path] | change)
    assert response.status_code == 400
    assert response.json()["param"] == f"/{next(iter(change))}"


@pytest.mark.parametrize("path", EXAMPLES)
@pytest.mark.parametrize("body", [[], "x", None, 5])
def test_a_body_that_is_no_object_is_refused(in_acme: Tenant, acme_api: Api, path: str, body: Any) -> None:
    assert acme_api.post(path, b"null" if body is None else body).status_code == 400


@pytest.mark.parametrize("path", EXAMPLES)
def test_a_code_is_taken_once(in_acme: Tenant, acme_api: Api, path: str) -> None:
    assert acme_api.post(path, EXAMPLES[path]).status_code == 201
    with nothing_changes_in("acme"):
        response = acme_api.post(path, EXAMPLES[path])
    assert response.status_code == 400
    assert {"/code"} <= {one["param"] for one in response.json()["errors"]}


def test_a_feature_names_its_meter(tokens: Meter, acme_api: Api) -> None:
    assert acme_api.post("/features", EXAMPLES["/features"] | {"meter": "tokens"}).json()["meter"] == "tokens"
    response = acme_api.post("/features", {"code": "b", "name": "B", "meter": "nothing"})
    assert (response.status_code, response.json()["param"]) == (400, "/meter")


@pytest.mark.parametrize(
    "change",
    [{"storefront": "shop"}, {"region": "eu"}, {"currency": "eur"}, {"currency": "XAU"}, {"currency": None}],
)
def test_a_price_book_is_for_a_real_place(in_acme: Tenant, acme_api: Api, change: dict[str, Any]) -> None:
    response = acme_api.post("/price_books", EXAMPLES["/price_books"] | change)
    assert (response.status_code, response.json()["param"]) == (400, f"/{next(iter(change))}")


def test_two_books_for_the_same_buyers_are_refused(in_acme: Tenant, acme_api: Api) -> None:
    """Which prices they see would be left to chance; also when nothing is named."""
    everybody = {"code": "usd", "name": "USD", "currency": "USD"}
    for book in (EXAMPLES["/price_books"], everybody):
        assert acme_api.post("/price_books", book).status_code == 201
        with nothing_changes_in("acme"):
            assert acme_api.post("/price_books", book | {"code": "other"}).status_code == 400


def test_the_currency_of_a_book_with_prices_stays(in_acme: Tenant, acme_api: Api) -> None:
    acme_api.post("/price_books", EXAMPLES["/price_books"])
    assert acme_api.patch("/price_books/eu-web", {"currency": "CHF"}).json()["currency"] == "CHF"
    acme_api.patch("/price_books/eu-web", {"currency": "EUR"})
    body = {"code": "pro", "name": "Pro", "currency": "EUR", "price_book": "eu-web", "prices": [FEE]}
    assert acme_api.post("/plans", body).json()["price_book"] == "eu-web"
    with nothing_changes_in("acme"):
        response = acme_api.patch("/price_books/eu-web", {"currency": "CHF"})
    assert (response.status_code, response.json()["code"]) == (409, "price_book_in_use")
    assert acme_api.patch("/price_books/eu-web", {"name": "Europe", "currency": "EUR"}).status_code == 200


def test_a_version_in_a_book_is_in_its_currency(in_acme: Tenant, acme_api: Api) -> None:
    acme_api.post("/price_books", EXAMPLES["/price_books"])
    body = {"code": "pro", "name": "Pro", "price_book": "eu-web", "prices": [FEE]}
    response = acme_api.post("/plans", body)
    assert (response.status_code, response.json()["code"]) == (400, "currency_mismatch")
    response = acme_api.post("/plans", body | {"price_book": "nowhere"})
    assert (response.status_code, response.json()["param"]) == (400, "/price_book")


def test_a_stranger_finds_nothing(in_acme: Tenant, acme_api: Api, globex_api: Api) -> None:
    for path, body in EXAMPLES.items():
        acme_api.post(path, body)
        one = f"{path}/{body['code']}"
        assert globex_api.get(one).status_code == 404
        assert globex_api.patch(one, {"name": "Mine"}).status_code == 404
        assert globex_api.get(path).json()["data"] == []
        # The code is free there: tenants don't meet.
        assert globex_api.post(path, body).status_code == 201


def test_without_a_key_nothing_is_read_or_written(anonymous_api: Api) -> None:
    for path, body in EXAMPLES.items():
        assert anonymous_api.get(path).status_code == 401
        assert anonymous_api.post(path, body).status_code == 401
