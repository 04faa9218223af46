"""Quarantine at a glance: how much waits, for what, since when, what it may be worth; and replay of any part."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.core import clock
from apps.invoices.at_risk import at_risk
from apps.tenants.models import Tenant
from apps.usage import tasks
from apps.usage.admin import quarantined_event
from apps.usage.models import ArchivedPartition, QuarantinedEvent, UsageEvent
from apps.usage.selectors.quarantine import waiting_groups
from tests.admin.business import Business
from tests.admin.test_actions import told
from tests.admin.test_pages import page
from tests.harness.clients import Staff
from tests.harness.factories import an_event, make_customer, make_meter, report

LIST, REPLAY = page("usage.quarantinedevent", "changelist"), page("usage.quarantinedevent", "replay_all")


def head_of(staff: Staff) -> dict[str, Any]:
    found: dict[str, Any] = staff.get(LIST).context["quarantine"]
    return found


def rows_of(staff: Staff, title: str) -> list[tuple[str, str]]:
    (table,) = [one for one in head_of(staff)["tables"] if one["title"] == title]
    return [(row["name"], row["count"]) for row in table["rows"]]


def test_the_head_adds_up_what_waits(olga: Staff, business: Business) -> None:
    report(an_event("early", customer="nobody-else"), now=clock.now() - timedelta(days=3))
    head = head_of(olga)
    assert (head["waiting"], head["oldest"], head["ready"]) == ("4", "3 days", "0")
    assert rows_of(olga, "Why") == [("Unknown customer", "3"), ("No meter for this event", "1")]
    assert rows_of(olga, "Customer") == [("nobody-yet", "2"), ("nobody-else", "1"), ("chat", "1")]
    assert rows_of(olga, "Event") == [("llm.call", "3"), ("image.render", "1")]
    make_customer("nobody-yet")
    assert head_of(olga)["ready"] == "2"


def test_money_at_risk_is_what_such_events_cost_on_average(olga: Staff, business: Business) -> None:
    """Each of the two invoices bills one call at 2.50 for input and 1.00 for output; two calls wait for a customer."""
    risk = at_risk(waiting_groups())
    assert risk.amounts == [("USD", Decimal("7.00"))]
    assert (risk.estimated, risk.waiting) == (2, 3)
    fact = head_of(olga)["facts"]["Money at risk"]
    assert fact["value"] == "≈ $7.00"
    assert "2 of 3 events" in fact["note"]


def test_without_invoices_nothing_is_estimated(olga: Staff, in_acme: Tenant) -> None:
    make_meter()
    report(an_event("lost", timestamp=None))
    assert head_of(olga)["facts"]["Money at risk"]["value"] == "unknown"


def test_those_who_may_not_see_invoices_are_told_no_amounts(sam: Staff, business: Business) -> None:
    sam.user.groups.clear()
    sam.user.user_permissions.set(permissions("view_quarantinedevent"))
    head = head_of(sam)
    assert (head["facts"], head["may_replay"]) == ({}, False)
    assert REPLAY not in sam.get(LIST).content.decode()
    assert sam.get(REPLAY).status_code == 403


def permissions(*names: str) -> Any:
    return Permission.objects.filter(codename__in=names)


def test_an_empty_quarantine_teaches(olga: Staff, in_acme: Tenant) -> None:
    assert "Nothing waits" in olga.get(LIST).content.decode()


def test_a_part_is_replayed(olga: Staff, business: Business) -> None:
    make_customer("nobody-yet")
    make_meter("images", event_name="image.render", aggregation="count")
    url = f"{REPLAY}?reason=unknown_meter"
    content = olga.get(url).content.decode()
    assert "<dd>1</dd>" in content
    assert "No meter for this event" in content
    assert told(olga.post(url)) == ["1 event replayed."]
    assert told(olga.post(f"{REPLAY}?customer_reference=nobody-yet"))[-1] == "2 events replayed."
    assert UsageEvent.objects.count() == 6


def test_why_it_still_waits_is_said_after_a_replay(olga: Staff, business: Business) -> None:
    """It waited for a customer; then for a meter; then the meter rejects what it should read."""
    report(an_event("x", customer="new", event="video", properties={"seconds": "many"}, timestamp=None))
    waiting = QuarantinedEvent.objects.get(event_id="x")

    def replayed() -> str:
        olga.post(page("usage.quarantinedevent", "replay", waiting.pk))
        return olga.get(page("usage.quarantinedevent", "change", waiting.pk)).content.decode()

    make_customer("new")
    assert "No meter in use counts events named" in replayed()
    make_meter("video", event_name="video", value_property="seconds")
    assert "a meter rejected it: " in replayed()
    waiting.refresh_from_db()
    assert (waiting.status, waiting.reason) == ("waiting", "rejected")
    assert "seconds" in waiting.problem
    ArchivedPartition.objects.create(
        partition="usage_usageevent_202602", starts_at=clock.now() - timedelta(days=30),
        ends_at=clock.now() + timedelta(days=1), format="parquet", file_name="x.parquet", row_count=1, byte_size=1,
        sha256="0" * 64, archived_at=clock.now(),
    )  # fmt: skip
    assert "archived before it could count" in replayed()
    assert ("Events of its time are archived", "1") in rows_of(olga, "Why")


def test_links_lead_to_one_customer_and_event(olga: Staff, business: Business) -> None:
    report(
        an_event("p1", customer="acme", event="call", timestamp=None),
        an_event("p2", customer="acme-2", event="call.video", timestamp=None),
    )
    for title, name, only in (("Customer", "acme", "p1"), ("Event", "call", "p1")):
        (table,) = [one for one in head_of(olga)["tables"] if one["title"] == title]
        (row,) = [one for one in table["rows"] if one["name"] == name]
        listed = olga.get(f"{LIST}?{row['shown']}").context["cl"].result_list
        assert [one.event_id for one in listed] == [only]
    explorer = olga.get(f"{page('usage.usageevent', 'changelist')}?verdict=quarantined&event_name=call")
    listed = olga.get(explorer.headers["Location"]).context["cl"].result_list
    assert [one.event_id for one in listed] == ["p1"]


def test_many_are_replayed_in_the_background(
    olga: Staff, business: Business, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_customer("nobody-yet")
    sent: list[list[int]] = []
    monkeypatch.setattr(quarantined_event, "AT_ONCE", 2)
    monkeypatch.setattr(tasks.replay_waiting, "delay", sent.append)
    assert told(olga.post(REPLAY)) == [
        "3 events are being replayed in the background; this page says how many still wait."
    ]
    assert [len(ids) for ids in sent] == [2, 1]
    assert QuarantinedEvent.objects.filter(status="waiting").count() == 3
    for ids in (*sent, *sent):
        tasks.replay_waiting.run(ids)
    assert QuarantinedEvent.objects.filter(status="waiting").count() == 1
    assert UsageEvent.objects.count() == 5


def test_the_head_has_a_budget(olga: Staff, business: Business) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert olga.get(LIST).status_code == 200
        return len(captured)

    olga.get(LIST)
    before = queries()
    report(*(an_event(f"q{n}", customer=f"c{n}", event=f"e{n}") for n in range(30)))
    assert queries() == before <= 16


def test_another_tenants_quarantine_is_not_added_up(stan: Staff, business: Business) -> None:
    assert head_of(stan)["waiting"] == "0"
