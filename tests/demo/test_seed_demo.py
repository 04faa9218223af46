"""The demo as `make run` fills it: last month's two invoices to the cent, today's usage, and nothing twice."""

import io
import json
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django_tenants.utils import schema_context, tenant_context

from apps.access.models import StaffUser
from apps.access.services.api_keys import find_api_key
from apps.core import clock
from apps.demo.api import Api
from apps.demo.blueprint import GLOBEX, PASSWORD, TENANTS, DemoTenant
from apps.demo.services import furnish, keys, seed
from apps.demo.services.replay import Manner
from apps.invoices.line_events import line_events
from apps.invoices.models import Invoice, InvoiceLine
from apps.tenants.models import Tenant
from apps.usage.models import QuarantinedEvent, UsageEvent
from tests.harness.server import WebServer

EVENTS = 8_819 + 19_366
LAST_MONTH = {
    "code-assistant": ["open", "47.61", "45.15", "2.46"],
    "chat-assistant": ["open", "96.79", "55.90", "40.89"],
}
# The same, of the first calls only.
SOME = 300
SOME_LAST_MONTH = {
    "code-assistant": ["open", "1.64", "1.57", "0.07"],
    "chat-assistant": ["open", "1.45", "0.68", "0.77"],
}
Fill = Callable[[datetime], None]
request = Api.request


@pytest.fixture
def fill(web: WebServer) -> Fill:
    """Seed as of an instant. The template's acme has Olga already; its globex gets her here."""
    with schema_context("globex"):
        olga = StaffUser.objects.create_user(GLOBEX.olga, PASSWORD, name="Olga")
        olga.groups.set([Group.objects.get(name="Operations")])

    def run(now: datetime) -> None:
        demos = seed.seed(base_url=web.url, now=now, say=lambda message: None)
        assert [demo.slug for demo in demos] == ["acme", "globex"]

    return run


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some calls of each trace in batches of twenty: as many steps, less to wait for."""
    tenants = tuple(
        replace(demo, customers=tuple(replace(one, calls=SOME) for one in demo.customers)) for demo in TENANTS
    )
    monkeypatch.setattr(seed, "TENANTS", tenants)
    monkeypatch.setattr(seed, "MANNER", Manner(batch_size=20, clients=2))


def first_invoices() -> dict[str, list[str]]:
    """Status, total and amounts of acme's oldest invoices, by customer."""
    with schema_context("acme"):
        oldest = Invoice.objects.order_by("period_start").values_list("period_start", flat=True)[0]
        return {
            invoice.customer.external_id: [
                str(invoice.status),
                invoice.total_text,
                *(line.amount_text for line in invoice.lines.all()),
            ]
            for invoice in Invoice.objects.filter(period_start=oldest)
        }


def events_behind_the_first_lines() -> dict[str, int]:
    with schema_context("acme"):
        lines = InvoiceLine.objects.filter(position=0).select_related("invoice__customer", "price__meter")
        return {
            line.invoice.customer.external_id: sum(map(len, line_events(line).by_day())) for line in lines
        }


def days_of_usage(slug: str) -> dict[date, int]:
    with schema_context(slug):
        days = [timestamp.date() for timestamp in UsageEvent.objects.values_list("timestamp", flat=True)]
    return {day: days.count(day) for day in sorted(set(days))}


def test_make_run_ends_with_invoices_and_a_live_day_and_the_next_one_changes_nothing(
    fill: Fill, web: WebServer, keys_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = io.StringIO()
    call_command("seed_demo", base_url=web.url, stdout=out, stderr=io.StringIO())
    answer = json.loads(out.getvalue().splitlines()[-1])
    assert [(one["email"], one["password"]) for one in answer["sign_in"]] == [
        ("olga@acme.example", PASSWORD),
        ("olga@globex.example", PASSWORD),
        ("sam@acme.example", PASSWORD),
        ("operator@countinghouse.example", PASSWORD),
    ]
    assert answer["sign_in"][0]["url"] == f"http://acme.localhost:{web.port}/admin/"
    assert stat.S_IMODE(keys_file.stat().st_mode) == 0o600

    # The day is read back: at midnight the run may have begun on the day before.
    assert first_invoices() == LAST_MONTH
    assert events_behind_the_first_lines() == {"code-assistant": 8_819, "chat-assistant": 19_366}
    (history, events), (today, events_today) = days_of_usage("acme").items()
    assert events == events_today == EVENTS
    assert history == today.replace(day=1) - timedelta(days=1)
    with schema_context("acme"):
        strangers = QuarantinedEvent.objects.values_list("customer_reference", flat=True)
        assert sorted(strangers) == ["code-asistant", "trial-assistant", "trial-assistant"]
    with schema_context("globex"):
        draft = Invoice.objects.get()
        assert draft.is_draft
        assert [line.amount_text for line in draft.lines.all()] == ["49.00", "9.93", "0.59"]

    asked: list[str] = []

    def listening(api: Api, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        asked.append(f"{method} {path.rpartition('-')[0]}")
        return request(api, method, path, body)

    with monkeypatch.context() as patched:
        patched.setattr(Api, "request", listening)
        fill(datetime.combine(today, datetime.max.time(), UTC))
    assert asked == [f"GET /events/{name}-{today}" for name in ("code", "chat", "code")]

    out = io.StringIO()
    call_command(
        "replay_trace", f"--base-url={web.url}", f"--day={today}", "--clients=4", "--json", stdout=out
    )
    summary = json.loads(out.getvalue())
    assert [summary["accepted"], summary["duplicates"]] == [0, EVENTS]
    assert [one["meters"]["input_tokens"]["quantity"] for one in summary["customers"]] == [
        "18059974",
        "22361870",
    ]
    assert days_of_usage("acme") == {history: EVENTS, today: EVENTS}
    assert first_invoices() == LAST_MONTH


def test_the_next_month_gets_its_own_usage_and_leaves_the_last_one_alone(fill: Fill, small: None) -> None:
    now = clock.real_now()
    earlier = now.replace(day=15) - timedelta(days=31)
    fill(earlier)
    fill(now)
    history = earlier.replace(day=1).date() - timedelta(days=1)
    assert list(days_of_usage("acme")) == [history, earlier.date(), now.date()]
    assert first_invoices() == SOME_LAST_MONTH
    with schema_context("acme"):
        # The month between was billed by the cursor: what was today's usage then.
        totals = [invoice.total_text for invoice in Invoice.objects.order_by("period_start", "total")]
    assert totals == ["1.45", "1.64", "1.45", "1.64"]


def test_killed_at_any_point_the_next_run_ends_with_the_same_invoices(
    fill: Fill, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the first event, between two first ones, amid a batch, between last month and today, amid today."""
    left = 0

    def dying(api: Api, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        nonlocal left
        left -= 1
        if left <= 0:
            raise KeyboardInterrupt
        return request(api, method, path, body)

    now = clock.real_now()
    for requests in (1, 6, 25, 40, 20):
        left = requests
        with monkeypatch.context() as patched, suppress(KeyboardInterrupt):
            patched.setattr(Api, "request", dying)
            fill(now)
            raise AssertionError("the run was through before it was killed")
    fill(now)
    assert first_invoices() == SOME_LAST_MONTH
    assert list(days_of_usage("acme").values()) == [2 * SOME, 2 * SOME]


@pytest.mark.parametrize(
    ("now", "month_started_at", "last_day_of_month", "today"),
    [
        ("2026-11-20T22:00:00", "2026-10-01", "2026-10-31", "2026-11-20"),
        ("2026-12-01T00:00:00", "2026-11-01", "2026-11-30", "2026-12-01"),
        ("2026-11-30T23:59:59.999999", "2026-10-01", "2026-10-31", "2026-11-30"),
        ("2028-03-31T12:00:00", "2028-02-01", "2028-02-29", "2028-03-31"),
        ("2027-01-01T00:00:01", "2026-12-01", "2026-12-31", "2027-01-01"),
    ],
)
def test_last_month_and_today(now: str, month_started_at: str, last_day_of_month: str, today: str) -> None:
    seeding = seed.Seeding("", datetime.fromisoformat(now).replace(tzinfo=UTC), lambda message: None)
    assert seeding.month_started_at == datetime.fromisoformat(month_started_at).replace(tzinfo=UTC)
    assert seeding.last_day_of_month.isoformat() == last_day_of_month
    assert seeding.today.isoformat() == today


def test_a_tenant_of_somebody_else_is_left_alone(globex: Tenant) -> None:
    """The template's globex is Stan's."""
    assert furnish.provide_tenant(GLOBEX) is None


def test_a_missing_tenant_is_made_with_its_key(fresh_database: str) -> None:
    demo = DemoTenant("third", "Third", "olga@third.example", address="", draft_grace_hours=0, customers=())
    tenant = furnish.provide_tenant(demo)
    assert tenant is not None
    with tenant_context(tenant):
        assert StaffUser.objects.get(email=demo.olga).check_password(PASSWORD)
        assert keys.provide_key(tenant=tenant) == keys.stored_keys()["third"]


def test_a_lost_key_is_revoked_and_replaced(acme: Tenant, keys_file: Path) -> None:
    with tenant_context(acme):
        first = keys.provide_key(tenant=acme)
        assert keys.provide_key(tenant=acme) == first
        keys_file.unlink()
        second = keys.provide_key(tenant=acme)
        assert second != first
        assert find_api_key(key=first) is None
        assert find_api_key(key=second) is not None
