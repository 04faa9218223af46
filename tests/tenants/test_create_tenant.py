"""`manage.py create_tenant`: schema, staff user and key, printed once as JSON."""

import json
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django_tenants.utils import tenant_context

from apps.access.models import ApiKey, StaffUser
from apps.invoices.models import BillingSettings, LegalEntity
from apps.tenants.models import Domain, Tenant
from apps.tenants.services import provision
from apps.tenants.services.provision import ProvisionRequest, provision_tenant
from tests.concurrency.together import together
from tests.harness.clients import Api
from tests.harness.evidence import contents_of

# Provisioning is several transactions: it needs a database of its own.
pytestmark = pytest.mark.usefixtures("fresh_database")


def create(*arguments: str) -> dict[str, Any]:
    out = StringIO()
    call_command("create_tenant", *arguments, stdout=out)
    answer: dict[str, Any] = json.loads(out.getvalue())
    return answer


def schemas() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema$)'")
        return {name for (name,) in cursor.fetchall()}


def test_prints_what_its_owner_must_know() -> None:
    answer = create("north-wind", "--name", "North Wind")
    assert {name: answer[name] for name in ("tenant", "name", "schema", "mode", "clock_at", "host")} == {
        "tenant": "north-wind",
        "name": "North Wind",
        "schema": "north_wind",
        "mode": "live",
        "clock_at": None,
        "host": "north-wind.localhost",
    }
    assert answer["api_key"].startswith("ch_live_north-wind_")
    assert answer["staff"]["email"] == "ops@north-wind.example"
    assert len(answer["staff"]["password"]) >= 16


def test_the_key_and_the_password_work_at_once() -> None:
    answer = create("north")
    for host in ("localhost", "north.localhost"):
        assert Api(answer["api_key"], host=host).get("/customers").json() == {"data": [], "next_cursor": None}
    client = Client(HTTP_HOST="north.localhost")
    sign_in = {"username": answer["staff"]["email"], "password": answer["staff"]["password"]}
    assert client.post("/admin/login/?next=/admin/", sign_in).status_code == 302
    assert client.get("/admin/").status_code == 200


def test_takes_the_sign_in_from_the_caller() -> None:
    answer = create("north", "--email", "nora@north.example", "--password", "open-sesame-1")
    assert answer["staff"] == {"email": "nora@north.example", "password": "open-sesame-1"}


def test_stores_no_secret_in_the_clear() -> None:
    answer = create("north")
    with connection.cursor() as cursor:
        cursor.execute("SELECT key::text FROM north.access_apikey AS key")
        assert answer["api_key"][-20:] not in str(cursor.fetchall())
    with tenant_context(Tenant.objects.get(slug="north")):
        assert answer["staff"]["password"] not in StaffUser.objects.get().password
        assert LegalEntity.objects.get().number_prefix == "NORTH"


def test_leaves_the_other_tenants_alone() -> None:
    before = {schema: contents_of(schema) for schema in ("acme", "globex", "sandbox")}
    create("north")
    assert {schema: contents_of(schema) for schema in before} == before


def test_makes_a_sandbox_at_an_instant() -> None:
    answer = create("play", "--sandbox", "--at", "2026-01-31T09:00:00+14:00")
    assert (answer["mode"], answer["clock_at"]) == ("sandbox", "2026-01-31T09:00:00+14:00")
    assert answer["api_key"].startswith("ch_test_play_")
    tenant = Tenant.objects.get(slug="play")
    assert tenant.clock_at == datetime(2026, 1, 30, 19, tzinfo=UTC)
    api = Api(answer["api_key"])
    assert api.post("/test_clock/advance", {"to": "2026-02-01T00:00:00Z"}).status_code == 200


def test_a_live_tenant_has_no_clock() -> None:
    with pytest.raises(CommandError, match="Only a sandbox has a clock"):
        create("north", "--at", "2026-01-31")
    assert "north" not in schemas()


def test_refuses_a_bad_slug() -> None:
    before = schemas(), Tenant.objects.count()
    with pytest.raises(CommandError, match="Use 1 to 40 lower-case letters"):
        create("a_b")
    assert (schemas(), Tenant.objects.count()) == before


def test_refuses_a_second_time() -> None:
    before = contents_of("acme", without=frozenset())
    with pytest.raises(CommandError, match="There is a tenant 'acme' already"):
        create("acme")
    assert contents_of("acme", without=frozenset()) == before


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A provisioning of `north` that died after its schema was made."""

    def die(tenant: Tenant, request: ProvisionRequest) -> dict[str, Any]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(provision, "_steps", [*provision._steps, die])
        with pytest.raises(KeyboardInterrupt):
            create("north")


def test_an_unfinished_tenant_serves_nobody(interrupted: None) -> None:
    assert Tenant.objects.get(slug="north").provisioned_at is None
    assert Client(HTTP_HOST="north.localhost").get("/admin/").status_code == 404
    assert Api("ch_live_north_" + "0" * 64).get("/customers").status_code == 401


def test_resumes_what_was_interrupted(interrupted: None) -> None:
    answer = create("north")
    assert Api(answer["api_key"]).get("/customers").status_code == 200
    assert (
        Tenant.objects.filter(slug="north").count()
        == Domain.objects.filter(tenant__slug="north").count()
        == 1
    )
    with tenant_context(Tenant.objects.get(slug="north")):
        assert (ApiKey.objects.count(), StaffUser.objects.count(), BillingSettings.objects.count()) == (
            1,
            1,
            1,
        )


def test_resumes_when_the_migrations_were_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(provision, "call_command", die)
        with pytest.raises(KeyboardInterrupt):
            create("north")
    assert "north" in schemas()
    assert Api(create("north")["api_key"]).get("/customers").status_code == 200


def test_what_was_interrupted_between_a_migration_and_its_record_is_made_anew(interrupted: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM north.django_migrations WHERE app = 'invoices'")
    assert Api(create("north")["api_key"]).get("/customers").status_code == 200


def test_what_was_interrupted_does_not_stop_the_migration_of_the_others(interrupted: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM north.django_migrations WHERE app = 'invoices'")
    call_command("migrate_schemas", interactive=False, verbosity=0)
    assert "north" not in schemas()
    assert not Tenant.objects.filter(slug="north").exists()
    assert Tenant.objects.filter(slug="acme").exists()


def test_leaves_a_schema_alone_that_is_no_tenants() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA reports")
    with pytest.raises(CommandError, match="no tenant's"):
        create("reports")
    assert "reports" in schemas()
    assert not Tenant.objects.filter(slug="reports").exists()


def test_of_two_at_once_one_is_refused() -> None:
    request = ProvisionRequest(staff_email="a@b.example")
    public = Tenant.objects.get(slug="acme")
    done = together(public, [lambda: provision_tenant(slug="north", request=request)] * 2)
    assert sorted(type(one).__name__ for one in done) == ["Refused", "dict"]
    [answer] = [one for one in done if isinstance(one, dict)]
    assert Api(answer["api_key"]).get("/customers").status_code == 200
