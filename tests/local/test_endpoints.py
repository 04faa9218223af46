"""What Django and Celery are told."""

from pathlib import Path

import pytest

from config.local import postgres
from config.local.endpoints import broker_url, database_config


def test_the_environment_replaces_the_embedded_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://ann:p%40ss@db.example:6432/billing?sslmode=require")
    monkeypatch.setenv("CELERY_BROKER_URL", "amqp://rabbit.example")
    found = database_config()
    assert found["ENGINE"] == "django_tenants.postgresql_backend"
    assert (found["HOST"], found["PORT"], found["NAME"]) == ("db.example", 6432, "billing")
    assert (found["USER"], found["PASSWORD"]) == ("ann", "p@ss")
    assert found["OPTIONS"] == {"sslmode": "require"}
    assert broker_url() == "amqp://rabbit.example"


def test_nothing_is_started_for_a_named_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://db.example/billing")
    monkeypatch.setattr(postgres, "embedded", lambda: pytest.fail("The embedded server was asked for."))
    with postgres.lease_if_embedded():
        pass


def test_a_socket_directory_survives_the_way_through_a_url(monkeypatch: pytest.MonkeyPatch) -> None:
    server = postgres.Postgres(Path("/tmp/A place/b%c"))
    monkeypatch.setenv("DATABASE_URL", postgres.url_of(server))
    found = database_config()
    assert (found["HOST"], found["PORT"]) == ("/tmp/A place/b%c/socket", "5432")
    assert (found["NAME"], found["USER"], found["OPTIONS"]) == ("countinghouse", "countinghouse", {})
