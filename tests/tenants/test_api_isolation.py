"""Every route of the API with the other tenant's key and ids: nothing is found, nothing leaks, nothing changes."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.http import HttpResponse
from django.urls import URLPattern

from config.urls_api import urlpatterns
from tests.harness.cast import KEYS
from tests.harness.clients import Api
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import an_event
from tests.tenants.furnished import MARK, Furnished

METHODS = ("get", "post", "put", "patch", "delete")
LISTS = {
    "customers", "meters", "plans", "products", "features", "price-books", "subscriptions", "invoices",
    "corrections", "backfills", "parked-subscriptions", "billing-runs", "late-usage",
}  # fmt: skip
EVERYWHERE = ("localhost", "globex.localhost")


def ids_of(acme: Furnished, pattern: URLPattern) -> Iterator[dict[str, Any]]:
    """Acme's ids for the parameters of a route. A route with a new parameter fails here until it is known."""
    codes = {
        "meter": acme.meter.code,
        "meter-activate": acme.meter.code,
        "meter-archive": acme.meter.code,
        "meter-backfills": acme.meter.code,
        "product": f"{MARK}-product",
        "feature": f"{MARK}-feature",
        "price-book": f"{MARK}-book",
        **dict.fromkeys(
            [
                f"subscription-add-on-{verb}{tail}"
                for verb in ("change", "detach")
                for tail in ("", "-preview")
            ],
            f"{MARK}-add-on",
        ),
    }
    known = {
        "event_id": [f"{MARK}-event"],
        "backfill_id": [acme.backfill.public_id],
        "customer": [acme.customer.external_id, acme.customer.public_id],
        "public_id": [acme.subscription.public_id],
        "charge_id": [acme.charge.public_id],
        "run_id": list(acme.run_ids),
        "entity_id": [acme.entity.public_id],
        "reference": [acme.invoice.public_id, acme.draft.public_id, str(acme.invoice.number)],
        "code": [codes.get(str(pattern.name), acme.version.plan.code)],
        "number": [1, 2],
        "position": [1],
    }
    choices = [known[name] for name in pattern.pattern.converters]
    for index in range(max((len(some) for some in choices), default=1)):
        yield {
            name: some[min(index, len(some) - 1)]
            for name, some in zip(pattern.pattern.converters, choices, strict=True)
        }


def body_of(acme: Furnished, pattern: URLPattern) -> dict[str, Any]:
    """What a thief would send: requests that are right in themselves and name acme's things."""
    name = str(pattern.name)
    # A preview takes the body of what it previews.
    if name.startswith("subscription-") or "-to-parent-" in name:
        name = name.removesuffix("-preview")
    price = {"code": "p", "name": "P", "model": "per_unit", "meter": acme.meter.code, "unit_amount": "1"}
    return {
        "events": {"events": [an_event("stolen", customer=acme.customer.public_id, event="llm.call")]},
        "customers": {"external_id": "mine", "name": "Mine"},
        "customer": {"name": "Stolen"},
        "meters": {"code": "mine", "name": "Mine", "event_name": "llm.call", "aggregation": "count"},
        "plans": {"code": "mine", "name": "Mine", "prices": [price]},
        "plan-versions": {"prices": [price], "price_book": f"{MARK}-book"},
        "plan-version": {"prices": [price]},
        "price-preview": {"plan": acme.version.plan.code, "quantities": {acme.meter.code: "1"}},
        "products": {"code": "mine", "name": "Mine"},
        "features": {"code": "mine", "name": "Mine", "meter": acme.meter.code},
        "price-books": {"code": "mine", "name": "Mine", "currency": "USD"},
        "meter": {"name": "Stolen"},
        "plan": {"name": "Stolen"},
        "product": {"name": "Stolen"},
        "feature": {"name": "Stolen"},
        "price-book": {"name": "Stolen"},
        "subscriptions": {"customer": acme.customer.public_id, "plan": acme.version.plan.code},
        "subscription-change": {"when": "now", "quantity": 2, "reason": "Stolen"},
        "subscription-pause": {"when": "now", "reason": "Stolen"},
        "subscription-resume": {"when": "now", "reason": "Stolen"},
        "subscription-cancel": {"when": "now", "unused": "refund", "reason": "Stolen"},
        "subscription-change-time-zone": {"time_zone": "Europe/Berlin", "reason": "Stolen"},
        "subscription-reactivate": {"reason": "Stolen"},
        "subscription-drop-scheduled-change": {"reason": "Stolen"},
        "subscription-add-ons": {"add_on": f"{MARK}-add-on", "when": "now", "reason": "Stolen"},
        "subscription-add-on-change": {"quantity": 2, "when": "now", "reason": "Stolen"},
        "subscription-add-on-detach": {"when": "now", "reason": "Stolen"},
        "subscription-charges": {"description": "Stolen", "unit_amount": "1", "reason": "Stolen"},
        "subscription-charge-withdraw": {"reason": "Stolen"},
        "events-void": {"events": [{"id": f"{MARK}-event"}], "reason": "Stolen"},
        "event-amend": {"id": f"{MARK}-event", "properties": {"tokens": 1}, "reason": "Stolen"},
        "backfills": {
            "start": "2026-01-01T00:00:00Z",
            "end": "2026-02-01T00:00:00Z",
            "customer": acme.customer.public_id,
            "mode": "replace",
            "reason": "Stolen",
        },
        "backfill-events": {"events": [an_event("stolen", customer=acme.customer.public_id)]},
        "backfill-revert": {"reason": "Stolen"},
        "bill-to-parent": {"when": "now", "reason": "Stolen"},
        "stop-billing-to-parent": {"when": "now", "reason": "Stolen"},
        "invoice": {"memo": "Stolen"},
        "invoice-terms": {"legal_entity": acme.entity.public_id, "memo": "Stolen"},
        "legal-entities": {"name": "Mine", "number_prefix": "MINE"},
        "legal-entity": {"name": "Stolen"},
        "subscription-release": {"reason": "Stolen"},
        "subscription-close-now": {"reason": "Stolen"},
        "subscription-bill-late-usage": {"reason": "Stolen", "total": "3.14"},
        "invoice-release": {"reason": "Stolen", "total": "3.14"},
        "invoice-void": {"reason": "Stolen"},
        "invoice-reissue": {"reason": "Stolen"},
        "invoice-mark-paid": {"reason": "Stolen", "reference": "Stolen"},
        "invoice-mark-uncollectible": {"reason": "Stolen"},
        "invoice-reopen": {"reason": "Stolen"},
        "test-clock-advance": {"to": "2100-01-01T00:00:00Z"},
    }.get(name, {})


def path_of(pattern: URLPattern, ids: dict[str, Any]) -> str:
    path = str(pattern.pattern)
    for name, converter in pattern.pattern.converters.items():
        kind = {"StringConverter": "str", "IntConverter": "int", "PathConverter": "path"}[
            type(converter).__name__
        ]
        path = path.replace(f"<{kind}:{name}>", str(ids[name]))
    return f"/{path}"


def without_echo(acme: Furnished, response: HttpResponse, ids: dict[str, Any]) -> str:
    """The answer without what the thief said himself: an error may repeat the id that was asked for."""
    said = [
        *map(str, ids.values()),
        acme.customer.public_id,
        acme.version.plan.code,
        acme.meter.code,
        f"{MARK}-book",
        f"{MARK}-event",
    ]
    text = response.content.decode()
    for known in sorted(said, key=len, reverse=True):
        text = text.replace(known, "")
    return text


def walk(
    api: Api, acme: Furnished, methods: Sequence[str] = METHODS
) -> Iterator[tuple[str, str, dict[str, Any], HttpResponse]]:
    """Ask every route with these methods. Yields the method, the route's name, the ids in it, and the answer."""
    for pattern in urlpatterns:
        for ids in ids_of(acme, pattern):
            for method in methods:
                call = getattr(api.client, method)
                path = f"/api/v1{path_of(pattern, ids)}"
                body = (
                    {}
                    if method == "get"
                    else {"content_type": "application/json", "data": body_of(acme, pattern)}
                )
                yield method, str(pattern.name), ids, call(path, **body)


@pytest.mark.parametrize("host", EVERYWHERE)
def test_the_other_tenant_s_key_finds_nothing(furnished: Furnished, globex_api: Api, host: str) -> None:
    seen = set()
    with nothing_changes_in("acme", "public", "sandbox"):
        for method, name, ids, response in walk(globex_api.at_host(host), furnished):
            label = f"{method} {name}: {response.status_code} {response.content[:300]!r}"
            text = without_echo(furnished, response, ids)
            assert not [secret for secret in furnished.secrets if secret in text], label
            if ids:
                assert response.status_code in (403, 404, 405), label
            elif method == "get" and name == "legal-entities":
                assert [one["name"] for one in response.json()["data"]] == ["Globex"], label
            elif method == "get" and name in LISTS:
                assert response.json() == {"data": [], "next_cursor": None}, label
            else:
                # Its own tenant is changed, if anything: with acme's things it finds none to work with.
                assert response.status_code in (200, 201, 400, 403, 404, 405), label
            seen.add(name)
    assert seen == {str(pattern.name) for pattern in urlpatterns}
    stolen = globex_api.at_host(host).get("/events/stolen")
    assert stolen.status_code == 404


@pytest.mark.parametrize(
    ("key", "host"),
    [
        ("acme", "globex.localhost"),
        ("globex", "acme.localhost"),
        ("sandbox", "acme.localhost"),
        ("none", "localhost"),
        ("none", "acme.localhost"),
        ("made up", "localhost"),
        ("made up", "acme.localhost"),
        ("globex for acme", "localhost"),
        ("unknown tenant", "localhost"),
        ("no key of ours", "localhost"),
    ],
)
@pytest.mark.usefixtures("globex", "sandbox")
def test_without_a_key_that_is_valid_here_every_route_answers_401(
    furnished: Furnished, key: str, host: str
) -> None:
    secret = "b" * 64
    keys = {
        **KEYS, "none": None,
        "made up": "ch_live_acme_" + "0" * 64, "globex for acme": f"ch_live_acme_{secret}",
        "unknown tenant": f"ch_live_nobody_{secret}", "no key of ours": "sk_live_123",
    }  # fmt: skip
    with nothing_changes_in("acme", "globex", "sandbox", "public"):
        for method, name, _, response in walk(Api(keys[key], host=host), furnished):
            assert response.status_code == 401, f"{method} {name}"
            assert response["Content-Type"] == "application/problem+json"
            assert response["WWW-Authenticate"] == 'Bearer realm="countinghouse"'
            assert response.json()["code"] == ("not_authenticated" if key == "none" else "invalid_api_key")
            assert MARK not in response.content.decode()


def test_acme_s_own_key_finds_it_all(furnished: Furnished, acme_api: Api) -> None:
    """The walk above would pass for a wrong reason if the ids were wrong."""
    for host in ("localhost", "acme.localhost"):
        for method, name, ids, response in walk(acme_api.at_host(host), furnished, ["get"]):
            if method == "get" and ids and response.status_code != 405:
                assert response.status_code == 200, name


def test_an_unknown_host_is_nobody_s(furnished: Furnished, acme_api: Api) -> None:
    for host in ("nobody.localhost", "acme.localhost.evil.example", "acme"):
        response = acme_api.at_host(host).get("/customers")
        assert (response.status_code, response.json()["code"]) == (404, "unknown_host")


@pytest.mark.parametrize("host", ["ACME.localhost", "acme.localhost:8000", "Acme.LocalHost:80"])
def test_a_host_is_found_whatever_its_case_and_port(furnished: Furnished, acme_api: Api, host: str) -> None:
    assert acme_api.at_host(host).get(f"/customers/{MARK}").status_code == 200
