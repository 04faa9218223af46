"""Asking the price preview, and what its refusals say."""

from typing import Any

from tests.harness.clients import Api
from tests.harness.evidence import nothing_changes_in

URL = "/prices/preview"

EXAMPLE = {
    "currency": "USD",
    "quantity": "1500",
    "event_count": 12,
    "price": {
        "model": "graduated",
        "tiers": [
            {"up_to": "1000", "unit_amount": "0.01", "flat_amount": "0"},
            {"up_to": None, "unit_amount": "0.005"},
        ],
        "quantity_included": "0",
        "minimum_amount": None,
        "maximum_amount": None,
        "discount_percent": None,
        "convert": None,
    },
}


def priced(api: Api, body: Any) -> dict[str, Any]:
    response = api.post(URL, body)
    assert response.status_code == 200, response.content
    found: dict[str, Any] = response.json()
    return found


def refused(api: Api, body: Any) -> dict[str, Any]:
    """A 400 that says everything a client needs, while nothing is stored."""
    with nothing_changes_in("acme", "public"):
        response = api.post(URL, body)
    assert response.status_code == 400, response.content
    assert response.headers["Content-Type"] == "application/problem+json"
    found: dict[str, Any] = response.json()
    assert found["request_id"]
    assert found["detail"]
    return found


def problems(found: dict[str, Any]) -> set[tuple[str, str]]:
    """All of them; the first is also at the top."""
    first = found["errors"][0]
    assert found["param"] == first["param"]
    assert all(one["message"] for one in found["errors"])
    return {(one["param"], one["code"]) for one in found["errors"]}


def per_unit(quantity: Any, unit_amount: Any = "0.01", currency: str = "USD", **more: Any) -> dict[str, Any]:
    price = {"model": "per_unit", "unit_amount": unit_amount}
    return {"currency": currency, "quantity": quantity, "price": price, **more}
