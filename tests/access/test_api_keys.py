"""API keys: random, stored as a hash, shown once, scoped, revocable at once, with a last use."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from apps.access.models import ApiKey, Scope
from apps.access.services.api_keys import NewKey, create_api_key, revoke_api_key, slug_of
from apps.tenants.models import Tenant
from config.urls_api import urlpatterns
from tests.harness.clients import Api
from tests.harness.evidence import nothing_changes_in

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


@pytest.fixture
def new(in_acme: Tenant) -> NewKey:
    return create_api_key(tenant=in_acme, name="Billing", scopes=[Scope.CUSTOMERS_READ])


def status(key: str) -> int:
    return Api(key).get("/customers").status_code


def test_reads_head_tenant_and_256_random_bits(new: NewKey) -> None:
    head, mode, slug, secret = new.key.split("_")
    assert (head, mode, slug) == ("ch", "live", "acme")
    assert len(bytes.fromhex(secret)) == 32
    assert new.api_key.prefix == f"ch_live_acme_{secret[:4]}"


def test_a_sandbox_has_test_keys(in_sandbox: Tenant) -> None:
    made = create_api_key(tenant=in_sandbox, name="x", scopes=[])
    assert made.key.startswith("ch_test_sandbox_")


def test_no_two_are_alike(in_acme: Tenant) -> None:
    keys = {create_api_key(tenant=in_acme, name="x", scopes=[]).key for _ in range(50)}
    assert len(keys) == 50


def test_only_its_hash_is_stored(new: NewKey) -> None:
    stored = ApiKey.objects.get(pk=new.api_key.pk)
    assert bytes(stored.key_hash) == hashlib.sha256(new.key.encode()).digest()
    assert new.key not in str(ApiKey.objects.filter(pk=stored.pk).values().get())


def test_is_valid_until_it_is_revoked(new: NewKey) -> None:
    assert status(new.key) == 200
    assert revoke_api_key(api_key=new.api_key, now=NOW)
    assert status(new.key) == 401


def test_revoking_twice_keeps_the_first_instant(new: NewKey) -> None:
    revoke_api_key(api_key=new.api_key, now=NOW)
    assert not revoke_api_key(api_key=new.api_key, now=NOW + timedelta(days=1))
    assert ApiKey.objects.get(pk=new.api_key.pk).revoked_at == NOW


def test_notes_its_last_use_at_most_once_a_minute(new: NewKey, django_assert_max_num_queries) -> None:
    def last_use() -> datetime | None:
        return ApiKey.objects.get(pk=new.api_key.pk).last_used_at

    assert last_use() is None
    with time_machine.travel(NOW, tick=False) as clock:
        status(new.key)
        assert last_use() == NOW
        clock.shift(timedelta(seconds=60))
        with nothing_changes_in("acme"):
            status(new.key)
        assert last_use() == NOW
        clock.shift(timedelta(seconds=1))
        status(new.key)
        assert last_use() == NOW + timedelta(seconds=61)


def test_a_refused_key_leaves_no_trace(new: NewKey) -> None:
    revoke_api_key(api_key=new.api_key, now=NOW)
    status(new.key)
    assert ApiKey.objects.get(pk=new.api_key.pk).last_used_at is None


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic {key}",
        "Token {key}",
        "{key}",
        "Bearer {key}x",
        "Bearer {key} x",
        "Bearer x{key}",
        "Bearer {key_upper}",
        "Bearer ch_live_acme_",
        "Bearer ch_live__",
        "Bearer ch_test_acme_{secret}",
        "Bearer ch_live_globex_{secret}",
        "Bearer ch_live_ACME_{secret}",
        "Bearer ä",
        "Bearer ch_live_a\0_x",
    ],
)
def test_anything_else_is_refused(new: NewKey, header: str) -> None:
    api = Api(None)
    written = header.format(key=new.key, key_upper=new.key.upper(), secret=new.key.split("_")[3])
    response = api.client.get("/api/v1/customers", headers={"Authorization": written})
    assert response.status_code == 401
    assert response.json()["code"] in ("invalid_api_key", "not_authenticated")


def test_the_scheme_is_read_in_any_case(new: NewKey) -> None:
    response = Api(None).client.get("/api/v1/customers", headers={"Authorization": f"bearer  {new.key}"})
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("key", "slug"),
    [
        ("ch_live_acme_x", "acme"),
        ("ch_test_a-b_x", "a-b"),
        ("ch_prod_acme_x", None),
        ("sk_live_acme_x", None),
        ("ch_live_a_b_x", None),
        ("", None),
    ],
)
def test_names_its_tenant(key: str, slug: str | None) -> None:
    assert slug_of(key) == slug


ROUTES = {
    ("get", "/customers"): Scope.CUSTOMERS_READ,
    ("post", "/customers"): Scope.CUSTOMERS_WRITE,
    ("get", "/customers/x"): Scope.CUSTOMERS_READ,
    ("patch", "/customers/x"): Scope.CUSTOMERS_WRITE,
    ("get", "/customers/x/team_billings"): Scope.CUSTOMERS_READ,
    ("post", "/customers/x/bill_to_parent"): Scope.CUSTOMERS_WRITE,
    ("post", "/customers/x/bill_to_parent/preview"): Scope.INVOICES_READ,
    ("post", "/customers/x/stop_billing_to_parent/preview"): Scope.INVOICES_READ,
    ("post", "/customers/x/stop_billing_to_parent"): Scope.CUSTOMERS_WRITE,
    ("get", "/usage"): Scope.USAGE_READ,
    ("get", "/customers/x/usage"): Scope.USAGE_READ,
    ("get", "/customers/x/usage/summary"): Scope.USAGE_READ,
    ("get", "/customers/x/invoices/upcoming"): Scope.USAGE_READ,
    ("post", "/events"): Scope.EVENTS_WRITE,
    ("get", "/events/x"): Scope.USAGE_READ,
    ("get", "/corrections"): Scope.USAGE_READ,
    ("post", "/corrections/void"): Scope.USAGE_WRITE,
    ("post", "/corrections/amend"): Scope.USAGE_WRITE,
    ("get", "/backfills"): Scope.USAGE_READ,
    ("post", "/backfills"): Scope.USAGE_WRITE,
    ("get", "/backfills/x"): Scope.USAGE_READ,
    ("post", "/backfills/x/events"): Scope.USAGE_WRITE,
    ("get", "/backfills/x/preview"): Scope.USAGE_READ,
    ("post", "/backfills/x/close"): Scope.USAGE_WRITE,
    ("post", "/backfills/x/revert"): Scope.USAGE_WRITE,
    ("post", "/backfills/x/discard"): Scope.USAGE_WRITE,
    ("get", "/meters/x/backfills"): Scope.USAGE_READ,
    ("post", "/meters/x/backfills"): Scope.USAGE_WRITE,
    ("get", "/meters"): Scope.CATALOG_READ,
    ("post", "/meters"): Scope.CATALOG_WRITE,
    ("get", "/meters/x"): Scope.CATALOG_READ,
    ("patch", "/meters/x"): Scope.CATALOG_WRITE,
    ("post", "/meters/x/activate"): Scope.CATALOG_WRITE,
    ("post", "/meters/x/archive"): Scope.CATALOG_WRITE,
    ("get", "/plans"): Scope.CATALOG_READ,
    ("post", "/plans"): Scope.CATALOG_WRITE,
    ("get", "/plans/x"): Scope.CATALOG_READ,
    ("patch", "/plans/x"): Scope.CATALOG_WRITE,
    ("post", "/plans/x/versions"): Scope.CATALOG_WRITE,
    ("post", "/plans/x/versions/1/publish"): Scope.CATALOG_WRITE,
    ("post", "/plans/x/versions/1/archive"): Scope.CATALOG_WRITE,
    ("get", "/plans/x/versions/1"): Scope.CATALOG_READ,
    ("put", "/plans/x/versions/1"): Scope.CATALOG_WRITE,
    ("delete", "/plans/x/versions/1"): Scope.CATALOG_WRITE,
    ("post", "/prices/preview"): Scope.CATALOG_READ,
    ("get", "/products"): Scope.CATALOG_READ,
    ("post", "/products"): Scope.CATALOG_WRITE,
    ("get", "/products/x"): Scope.CATALOG_READ,
    ("patch", "/products/x"): Scope.CATALOG_WRITE,
    ("get", "/features"): Scope.CATALOG_READ,
    ("post", "/features"): Scope.CATALOG_WRITE,
    ("get", "/features/x"): Scope.CATALOG_READ,
    ("patch", "/features/x"): Scope.CATALOG_WRITE,
    ("get", "/price_books"): Scope.CATALOG_READ,
    ("post", "/price_books"): Scope.CATALOG_WRITE,
    ("get", "/price_books/x"): Scope.CATALOG_READ,
    ("patch", "/price_books/x"): Scope.CATALOG_WRITE,
    ("get", "/subscriptions"): Scope.CUSTOMERS_READ,
    ("post", "/subscriptions"): Scope.CUSTOMERS_WRITE,
    ("get", "/subscriptions/x"): Scope.CUSTOMERS_READ,
    ("post", "/subscriptions/x/change"): Scope.CUSTOMERS_WRITE,
    ("post", "/subscriptions/x/change/preview"): Scope.INVOICES_READ,
    ("post", "/subscriptions/x/drop_scheduled_change"): Scope.CUSTOMERS_WRITE,
    ("post", "/subscriptions/x/drop_scheduled_change/preview"): Scope.INVOICES_READ,
    ("post", "/subscriptions/x/pause"): Scope.CUSTOMERS_WRITE,
    ("post", "/subscriptions/x/pause/preview"): Scope.INVOICES_READ,
    ("post", "/subscriptions/x/resume"): Scope.CUSTOMERS_WRITE,
    ("post", "/subscriptions/x/resume/preview"): Scope.INVOICES_READ,
    ("post", "/subscriptions/x/cancel"): Scope.CUSTOMERS_WRITE,
    ("post", "/subscriptions/x/cancel/preview"): Scope.INVOICES_READ,
    ("post", "/subscriptions/x/reactivate"): Scope.CUSTOMERS_WRITE,
    ("post", "/subscriptions/x/reactivate/preview"): Scope.INVOICES_READ,
    ("post", "/subscriptions/x/change_time_zone"): Scope.CUSTOMERS_WRITE,
    ("post", "/subscriptions/x/change_time_zone/preview"): Scope.INVOICES_READ,
    ("post", "/subscriptions/x/set_billing_threshold"): Scope.CUSTOMERS_WRITE,
    ("post", "/subscriptions/x/set_billing_threshold/preview"): Scope.INVOICES_READ,
    ("get", "/subscriptions/x/add_ons"): Scope.CUSTOMERS_READ,
    ("post", "/subscriptions/x/add_ons"): Scope.CUSTOMERS_WRITE,
    ("post", "/subscriptions/x/add_ons/preview"): Scope.INVOICES_READ,
    ("post", "/subscriptions/x/add_ons/y/change"): Scope.CUSTOMERS_WRITE,
    ("post", "/subscriptions/x/add_ons/y/change/preview"): Scope.INVOICES_READ,
    ("post", "/subscriptions/x/add_ons/y/detach"): Scope.CUSTOMERS_WRITE,
    ("post", "/subscriptions/x/add_ons/y/detach/preview"): Scope.INVOICES_READ,
    ("get", "/subscriptions/x/charges"): Scope.INVOICES_READ,
    ("post", "/subscriptions/x/charges"): Scope.INVOICES_WRITE,
    ("post", "/subscriptions/x/charges/preview"): Scope.INVOICES_READ,
    ("post", "/subscriptions/x/charges/y/withdraw"): Scope.INVOICES_WRITE,
    ("post", "/subscriptions/x/charges/y/withdraw/preview"): Scope.INVOICES_READ,
    ("get", "/invoices"): Scope.INVOICES_READ,
    ("get", "/invoices/x"): Scope.INVOICES_READ,
    ("post", "/invoices/x/finalize"): Scope.INVOICES_WRITE,
    ("post", "/invoices/x/refresh"): Scope.INVOICES_WRITE,
    ("post", "/invoices/x/release"): Scope.INVOICES_WRITE,
    ("post", "/invoices/x/void"): Scope.INVOICES_WRITE,
    ("post", "/invoices/x/reissue"): Scope.INVOICES_WRITE,
    ("post", "/invoices/x/mark_paid"): Scope.INVOICES_WRITE,
    ("post", "/invoices/x/mark_uncollectible"): Scope.INVOICES_WRITE,
    ("post", "/invoices/x/reopen"): Scope.INVOICES_WRITE,
    ("get", "/invoices/x/lines/0/events"): Scope.INVOICES_READ,
    ("patch", "/invoices/x"): Scope.INVOICES_WRITE,
    ("get", "/invoices/x/lines"): Scope.INVOICES_READ,
    ("get", "/customers/x/invoice_terms"): Scope.INVOICES_READ,
    ("patch", "/customers/x/invoice_terms"): Scope.INVOICES_WRITE,
    ("get", "/legal_entities"): Scope.INVOICES_READ,
    ("post", "/legal_entities"): Scope.INVOICES_WRITE,
    ("get", "/legal_entities/x"): Scope.INVOICES_READ,
    ("patch", "/legal_entities/x"): Scope.INVOICES_WRITE,
    ("post", "/legal_entities/x/make_default"): Scope.INVOICES_WRITE,
    ("get", "/billing_runs"): Scope.INVOICES_READ,
    ("get", "/billing_runs/1"): Scope.INVOICES_READ,
    ("get", "/parked_subscriptions"): Scope.INVOICES_READ,
    ("get", "/late_usage"): Scope.INVOICES_READ,
    ("post", "/subscriptions/x/release"): Scope.INVOICES_WRITE,
    ("post", "/subscriptions/x/close_now"): Scope.INVOICES_WRITE,
    ("post", "/subscriptions/x/bill_late_usage"): Scope.INVOICES_WRITE,
    ("post", "/test_clock/advance"): Scope.TEST_CLOCK,
}


@pytest.mark.parametrize(
    ("route", "scope"),
    ROUTES.items(),
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else value,
)
def test_a_route_asks_for_its_scope_and_no_other(
    in_acme: Tenant, route: tuple[str, str], scope: Scope
) -> None:
    method, path = route
    others = [one for one in Scope.values if one != scope]
    lacking = Api(create_api_key(tenant=in_acme, name="lacking", scopes=others).key)
    having = Api(create_api_key(tenant=in_acme, name="having", scopes=[scope]).key)
    with nothing_changes_in("acme"):
        refused = getattr(lacking, method)(path)
    assert (refused.status_code, refused.json()["code"]) == (403, "missing_scope")
    assert scope in refused.json()["detail"]
    answered = getattr(having, method)(path)
    assert answered.status_code not in (401, 500)
    if answered.status_code == 403:
        assert answered.json()["code"] == "not_a_sandbox"


def test_every_route_is_in_the_table() -> None:
    declared = {
        (method.lower(), pattern.name)
        for pattern in urlpatterns
        for method in ("GET", "POST", "PATCH", "PUT", "DELETE")
        if hasattr(pattern.callback.view_class, method.lower())
    }
    assert len(declared) == len(ROUTES)
