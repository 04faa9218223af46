"""The description of the API: made from the code, without a warning, and complete."""

import json
from typing import Any

import pytest
from django.test import Client
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

from apps.tenants.models import Tenant
from config.urls_api import urlpatterns


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    GENERATOR_STATS.reset()
    generator = SchemaGenerator(urlconf="config.urls_schema")
    made: dict[str, Any] = generator.get_schema(request=None, public=True)
    return made


def test_is_made_without_a_warning(document: dict[str, Any]) -> None:
    assert not GENERATOR_STATS._warn_cache
    assert not GENERATOR_STATS._error_cache


def test_is_valid(document: dict[str, Any]) -> None:
    validate_schema(document)


def test_names_every_route_and_method(document: dict[str, Any]) -> None:
    described = {(path, method) for path, methods in document["paths"].items() for method in methods}
    routes = set()
    for pattern in urlpatterns:
        path = f"/api/v1/{pattern.pattern}"
        for name in pattern.pattern.converters:
            for kind in ("str", "int", "path"):
                path = path.replace(f"<{kind}:{name}>", f"{{{name}}}")
        view = pattern.callback.view_class
        routes |= {
            (path, method) for method in ("get", "post", "put", "patch", "delete") if hasattr(view, method)
        }
    assert described == routes


def test_asks_for_the_key_everywhere(document: dict[str, Any]) -> None:
    assert document["components"]["securitySchemes"]["apiKey"]["scheme"] == "bearer"
    for methods in document["paths"].values():
        for operation in methods.values():
            assert operation["security"] == [{"apiKey": []}]


def test_every_operation_has_a_name_of_its_own_and_a_sentence(document: dict[str, Any]) -> None:
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    assert not [operation["operationId"] for operation in operations if not operation.get("description")]


def test_money_and_quantities_are_texts(document: dict[str, Any]) -> None:
    """A JSON number would be read as a float by half of the clients."""

    def numbers(schema: Any, at: str) -> list[str]:
        if isinstance(schema, list):
            return [found for inner in schema for found in numbers(inner, at)]
        if not isinstance(schema, dict):
            return []
        here = [at] if schema.get("type") == "number" else []
        return here + [found for name, inner in schema.items() for found in numbers(inner, f"{at}/{name}")]

    assert numbers(document["components"]["schemas"], "") == []


def test_events_come_in_several_formats(document: dict[str, Any]) -> None:
    formats = document["paths"]["/api/v1/events"]["post"]["requestBody"]["content"]
    assert set(formats) == {
        "application/json",
        "application/x-ndjson",
        "application/cloudevents+json",
        "application/cloudevents-batch+json",
    }


def test_is_served_to_everybody(acme: Tenant) -> None:
    for host in ("localhost", "acme.localhost"):
        response = Client(HTTP_HOST=host).get("/api/v1/openapi.json", headers={"accept": "application/json"})
        assert response.status_code == 200
        assert json.loads(response.content)["openapi"].startswith("3.")
        assert Client(HTTP_HOST=host).get("/api/docs/").status_code == 200
