"""Behind a proxy that speaks TLS: the front door keeps to what the settings of production say."""

import asyncio

import httpx
import pytest
from django.conf import LazySettings

from apps.tenants.models import Tenant
from apps.usage.api.body import Receive, Scope, Send
from apps.usage.api.front_door import FrontDoor
from tests.harness.cast import KEYS
from tests.harness.factories import an_event


async def redirecting_site(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 301, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def production(settings: LazySettings) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 3600


def answer(**headers: str) -> httpx.Response:
    async def run() -> httpx.Response:
        door = FrontDoor(redirecting_site)
        sent = {"Authorization": f"Bearer {KEYS['acme']}"} | headers
        transport = httpx.ASGITransport(door)
        try:
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return await client.post("/api/v1/events", json={"events": [an_event()]}, headers=sent)
        finally:
            door.gatherer.pool.shutdown()

    return asyncio.run(run())


def test_plain_http_is_left_to_the_site(
    fresh_database: str, open_for_business: Tenant, production: None
) -> None:
    assert answer().status_code == 301
    assert answer(**{"X-Forwarded-Proto": "http"}).status_code == 301
    assert answer(X_Forwarded_Proto="https").status_code == 301


def test_https_is_answered_with_what_django_adds(
    fresh_database: str, open_for_business: Tenant, production: None
) -> None:
    response = answer(**{"X-Forwarded-Proto": "https"})
    assert (response.status_code, response.json()["accepted"]) == (200, 1)
    assert response.headers["Strict-Transport-Security"] == "max-age=3600"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_without_a_proxy_nothing_is_promised(fresh_database: str, open_for_business: Tenant) -> None:
    response = answer()
    assert response.status_code == 200
    assert "Strict-Transport-Security" not in response.headers
