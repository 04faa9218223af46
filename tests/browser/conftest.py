"""A real Chromium before a real server. Nothing is downloaded: the system's browser is used, or the test is skipped."""

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections
from django_tenants.utils import tenant_context
from playwright.sync_api import Browser, Page, sync_playwright

from apps.tenants.models import Tenant
from tests.admin.business import Business, start_business
from tests.harness.cast import OLGA, PASSWORD
from tests.harness.server import WebServer

REQUIRED = "COUNTINGHOUSE_REQUIRE_BROWSER"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
HOW_TO = "No Chromium is installed. On Debian and Ubuntu: apt-get install chromium. On macOS: brew install chromium."
QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]


@pytest.fixture(scope="session")
def chromium() -> str:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None and os.environ.get(REQUIRED) == "1":
        pytest.fail(HOW_TO)
    if found is None:
        pytest.skip(HOW_TO)
    return found


@pytest.fixture
def browser(chromium: str) -> Iterator[Browser]:
    arguments = [*QUIET, "--no-sandbox"] if os.geteuid() == 0 else QUIET
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield launched
        launched.close()


@pytest.fixture
def at_acme(acme: Tenant) -> Callable[[Callable[[], Any]], Any]:
    """Run something in acme's schema while the browser is open.

    Playwright keeps an event loop in the test's thread, beside which Django refuses to query; so it is done
    in another one.
    """

    def work(job: Callable[[], Any]) -> Any:
        try:
            with tenant_context(acme):
                return job()
        finally:
            connections.close_all()

    def run(job: Callable[[], Any]) -> Any:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(work, job).result()

    return run


@pytest.fixture
def business(chromium: str, acme: Tenant) -> Business:
    """Acme in business, committed, for the server to see."""
    with tenant_context(acme):
        return start_business()


@pytest.fixture
def page(web: WebServer, business: Business, browser: Browser) -> Iterator[Page]:
    """Olga's browser at acme, signed in. Whatever it complains about, and whoever else it calls, fails the test."""
    here = web.url_at("acme")
    context = browser.new_context(base_url=here, viewport={"width": 1440, "height": 900})
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on(
        "request",
        lambda request: None if request.url.startswith((here, "data:")) else complaints.append(request.url),
    )
    opened.goto("/admin/")
    opened.get_by_label("Email").fill(OLGA)
    opened.get_by_label("Password").fill(PASSWORD)
    opened.get_by_role("button", name="Log in").click()
    yield opened
    context.close()
    assert complaints == []
