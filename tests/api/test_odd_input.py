"""Input that is well-formed and odd: answered with a sentence, never with a 500."""

import gzip

import pytest

from tests.harness.clients import Api
from tests.harness.evidence import nothing_changes_in


@pytest.mark.parametrize(
    "zone", ["Europe", "America/Argentina", "localtime", "posixrules", "x" * 300, "../etc", ""]
)
def test_a_time_zone_that_is_none(acme_api: Api, zone: str) -> None:
    with nothing_changes_in("acme"):
        answer = acme_api.post("/customers", {"external_id": "a", "name": "A", "time_zone": zone})
    assert (answer.status_code, answer.json()["param"]) == (400, "/time_zone")


def test_a_price_that_rating_could_not_hold(acme_api: Api) -> None:
    price = {"code": "a", "name": "A", "model": "flat", "flat_amount": "1" + "0" * 24}
    with nothing_changes_in("acme"):
        answer = acme_api.post("/plans", {"code": "a", "name": "A", "prices": [price]})
    assert (answer.status_code, answer.json()["param"]) == (400, "/prices/0/flat_amount")


@pytest.mark.parametrize("field", ["metadata", "name"])
@pytest.mark.parametrize(("depth", "codes"), [(100, ["too_deep"]), (900, ["too_deep", "invalid_json"])])
def test_a_body_of_great_depth(acme_api: Api, field: str, depth: int, codes: list[str]) -> None:
    deep = b"[" * depth + b"]" * depth
    body = b'{"external_id": "a", "name": "A", "%s": %s}' % (field.encode(), deep)
    with nothing_changes_in("acme"):
        answer = acme_api.post("/customers", body, idempotency_key="deep")
    assert answer.status_code == 400
    assert answer.json()["code"] in codes


def test_a_body_of_a_thousand_empty_gzip_members(acme_api: Api) -> None:
    answer = acme_api.post("/events", gzip.compress(b"") * 1000, content_encoding="gzip")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_encoding")
