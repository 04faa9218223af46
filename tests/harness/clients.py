"""The outside of the product in the hands of a test: an integrator's key, a signed-in member of staff."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django_tenants.utils import tenant_context

from apps.access.models import StaffUser
from apps.tenants.models import Tenant
from tests.harness.cast import PASSWORD

PREFIX = "/api/v1"


@contextmanager
def schema_kept() -> Iterator[None]:
    """A request ends in the public schema. Go back to where the test was, with the clock as it is now."""
    tenant = connection.tenant
    try:
        yield
    finally:
        if getattr(tenant, "clock_at", None) is not None:
            connection.set_schema_to_public()
            tenant.refresh_from_db(fields=["clock_at"])
        connection.set_tenant(tenant)


class SchemaKeepingClient(Client):
    def request(self, **request: Any) -> HttpResponse:
        with schema_kept():
            return super().request(**request)


class Api:
    """An integrator with a key. Paths are relative to /api/v1; bodies are dicts, or bytes as they are.

    Keyword arguments of a call are headers: `api.post("/customers", body, idempotency_key="a")`.
    """

    def __init__(self, key: str | None, *, host: str = "localhost") -> None:
        self.key = key
        self.host = host
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self.client = SchemaKeepingClient(HTTP_HOST=host, headers=headers)

    def get(self, path: str, params: dict[str, Any] | None = None, **headers: str) -> HttpResponse:
        return self.client.get(PREFIX + path, params, headers=dashed(headers))

    def post(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        return self.client.post(
            PREFIX + path, encoded(body), content_type="application/json", headers=dashed(headers)
        )

    def patch(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        return self.client.patch(
            PREFIX + path, encoded(body), content_type="application/json", headers=dashed(headers)
        )

    def put(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        return self.client.put(
            PREFIX + path, encoded(body), content_type="application/json", headers=dashed(headers)
        )

    def delete(self, path: str, **headers: str) -> HttpResponse:
        return self.client.delete(PREFIX + path, headers=dashed(headers))

    def report(self, *events: Any, results: str = "all") -> dict[str, Any]:
        """POST /events, which must answer 200; returns the answer."""
        response = self.post(f"/events?results={results}", {"events": list(events)})
        assert response.status_code == 200, response.content
        answer: dict[str, Any] = response.json()
        return answer

    def at_host(self, host: str) -> "Api":
        """The same key at another host."""
        return Api(self.key, host=host)


def dashed(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def encoded(body: Any) -> bytes:
    if isinstance(body, bytes):
        return body
    return json.dumps({} if body is None else body).encode()


class Staff:
    """A person of the back office. `client` is signed in at the tenant's own host."""

    def __init__(self, tenant: Tenant | None, email: str) -> None:
        self.tenant = tenant
        self.email = email
        self.password = PASSWORD
        self.host = f"{tenant.slug}.localhost" if tenant else "localhost"

    @cached_property
    def user(self) -> StaffUser:
        if self.tenant is None:
            return StaffUser.objects.get(email=self.email)
        with tenant_context(self.tenant):
            return StaffUser.objects.get(email=self.email)

    @cached_property
    def client(self) -> Client:
        client = SchemaKeepingClient(HTTP_HOST=self.host)
        user = self.user
        if self.tenant is None:
            client.force_login(user)
            return client
        with tenant_context(self.tenant):
            client.force_login(user)
        return client

    def get(self, path: str, params: dict[str, Any] | None = None, **extra: Any) -> HttpResponse:
        return self.client.get(path, params, **extra)

    def post(self, path: str, form: dict[str, Any] | None = None, **extra: Any) -> HttpResponse:
        return self.client.post(path, form or {}, **extra)
