"""One PostgreSQL for the run, one database for each worker, one transaction for each test, and the cast.

- A test that names `in_acme`, `acme_api`, `olga` … runs in a transaction that is rolled back.
- A test that needs real commits (threads, processes, a browser) names `fresh_database`, or `web` for a real
  server, beside them: it gets a copy of the template for itself. Nothing is ever flushed.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.db import connection, connections
from django_tenants.utils import tenant_context
from pytest_django import DjangoDbBlocker

from apps.tenants.models import Tenant
from config.local.postgres import test_server as embedded_server
from tests.harness import cast
from tests.harness.clients import Api, Staff
from tests.harness.databases import RUN, Databases, django_on_copy, new_run
from tests.harness.server import WebServer

run_resources = ExitStack()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Start the server in the process that starts the workers; they find it in their environment."""
    if hasattr(session.config, "workerinput") or session.config.option.collectonly:
        return
    if not os.environ.get("DATABASE_URL"):
        os.environ["DATABASE_URL"] = run_resources.enter_context(embedded_server())
        run_resources.callback(os.environ.pop, "DATABASE_URL")
    os.environ[RUN] = new_run()
    run_resources.enter_context(Databases.of_this_run().announce())


def pytest_unconfigure(config: pytest.Config) -> None:
    run_resources.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        marker = item.get_closest_marker("django_db")
        if marker and marker.kwargs.get("transaction"):
            raise pytest.UsageError(f"{item.nodeid}: name the fixture fresh_database instead of flushing.")


@pytest.fixture(scope="session")
def django_db_setup(
    request: pytest.FixtureRequest, django_test_environment: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    """Instead of pytest-django's, which would migrate for every worker."""
    databases = Databases.of_this_run()
    worker = getattr(request.config, "workerinput", {}).get("workerid", "main")
    with django_db_blocker.unblock():
        databases.ensure_template(cast.build_template)
        with django_on_copy(databases, worker):
            yield


@pytest.fixture(autouse=True)
def _public_schema() -> Iterator[None]:
    """Which schema a connection is in is not part of the transaction that is rolled back."""
    yield
    connection.set_schema_to_public()


@pytest.fixture
def fresh_database(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """A copy of the template for this test alone, with real commits. Yields its DATABASE_URL."""
    databases = Databases.of_this_run()
    with django_db_blocker.unblock(), django_on_copy(databases, "fresh") as name:
        try:
            yield databases.url_of(name)
        finally:
            connections.close_all()


@pytest.fixture
def database(request: pytest.FixtureRequest) -> None:
    """The worker's database inside a transaction, or the fresh one when the test names it."""
    is_fresh = {"fresh_database", "web", "live_server_url"} & set(request.fixturenames)
    request.getfixturevalue("fresh_database" if is_fresh else "db")


@pytest.fixture
def web(fresh_database: str, tmp_path: Path) -> Iterator[WebServer]:
    """The product under gunicorn, against this test's own database."""
    server = WebServer(fresh_database, tmp_path / "gunicorn.log")
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def live_server_url(web: WebServer) -> str:
    return web.url


@pytest.fixture
def acme(database: None) -> Tenant:
    return Tenant.objects.get(slug="acme")


@pytest.fixture
def globex(database: None) -> Tenant:
    return Tenant.objects.get(slug="globex")


@pytest.fixture
def sandbox(database: None) -> Tenant:
    """A tenant whose clock stands at 2026-01-01T00:00:00Z."""
    return Tenant.objects.get(slug="sandbox")


@pytest.fixture
def in_acme(acme: Tenant) -> Iterator[Tenant]:
    with tenant_context(acme):
        yield acme


@pytest.fixture
def in_sandbox(sandbox: Tenant) -> Iterator[Tenant]:
    with tenant_context(sandbox):
        yield sandbox


@pytest.fixture
def acme_api(acme: Tenant) -> Api:
    return Api(cast.KEYS["acme"])


@pytest.fixture
def globex_api(globex: Tenant) -> Api:
    return Api(cast.KEYS["globex"])


@pytest.fixture
def sandbox_api(sandbox: Tenant) -> Api:
    return Api(cast.KEYS["sandbox"])


@pytest.fixture
def anonymous_api(database: None) -> Api:
    return Api(None)


@pytest.fixture
def olga(acme: Tenant) -> Staff:
    """Operations at acme."""
    return Staff(acme, cast.OLGA)


@pytest.fixture
def sam(acme: Tenant) -> Staff:
    """Support at acme."""
    return Staff(acme, cast.SAM)


@pytest.fixture
def stan(globex: Tenant) -> Staff:
    """The stranger: operations at globex."""
    return Staff(globex, cast.STAN)


@pytest.fixture
def sandra(sandbox: Tenant) -> Staff:
    """Operations at the sandbox."""
    return Staff(sandbox, cast.SANDRA)


@pytest.fixture
def petra(database: None) -> Staff:
    """The platform's operator, in the public schema."""
    return Staff(None, cast.PETRA)
