"""Staff correct usage: an event is voided or amended, a range is backfilled, a meter reads the past."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from apps.catalog.models import Meter
from apps.core import clock
from apps.usage import tasks
from apps.usage.models import MeterBackfill, UsageBackfill, UsageCorrection, UsageEvent
from apps.usage.selectors import event_by_identity, key_of
from apps.usage.services.corrections.backfills import open_backfill
from apps.usage.services.corrections.stage_events import stage_events
from apps.usage.services.meter_backfill.run import run_backfill
from tests.admin.business import Business
from tests.admin.test_actions import audited, told
from tests.admin.test_pages import page
from tests.harness.clients import Staff
from tests.harness.factories import an_event, make_meter
from tests.usage.counting import assert_totals_equal_what_counts
from tests.usage.totals import metered


def event_page(view: str, event_id: str = "call-2") -> str:
    return page("usage.usageevent", view, key_of(event_by_identity(event_id=event_id)))


def form_of(event: UsageEvent, **changes: Any) -> dict[str, Any]:
    return {
        "customer": event.customer.external_id,
        "timestamp_0": event.timestamp.strftime("%Y-%m-%d"),
        "timestamp_1": event.timestamp.strftime("%H:%M:%S"),
        "properties": event.properties_text,
        "reason": "Counted twice",
        **changes,
    }


def test_an_event_is_voided(olga: Staff, business: Business) -> None:
    asked = olga.get(event_page("void")).content.decode()
    assert "Void the event?" in asked
    assert "1,000,000 counts no more" in asked
    response = olga.post(event_page("void"), {"reason": "Test data"})
    assert told(response) == ["Event call-2 counts no more."]
    assert metered("input_tokens") == 2_000_000
    entry = audited("usage_event.voided")
    assert (entry.reason, entry.actor) == ("Test data", olga.user.email)
    assert_totals_equal_what_counts()
    shown = olga.get(event_page("change")).content.decode()
    assert "Voided" in shown
    assert event_page("void") not in shown


def test_a_void_needs_a_reason(olga: Staff, business: Business) -> None:
    assert olga.post(event_page("void"), {"reason": " "}).status_code == 200
    assert metered("input_tokens") == 3_000_000


def test_an_event_is_amended(olga: Staff, business: Business) -> None:
    event = event_by_identity(event_id="call-2")
    shown = olga.get(event_page("amend")).content.decode()
    assert "1,000,000 is replaced" in shown
    response = olga.post(event_page("amend"), form_of(event, properties='{"input_tokens": 7.5}'))
    assert told(response) == ["Event call-2 counts as revision 1 now."]
    assert metered("input_tokens") == Decimal("2000007.5")
    amended = event_by_identity(event_id="call-2")
    assert amended.timestamp == event.timestamp
    assert olga.get(event_page("change")).status_code == 200


@pytest.mark.parametrize("properties", ["", "{", "[]", "7"])
def test_an_amendment_is_json(olga: Staff, business: Business, properties: str) -> None:
    form = form_of(event_by_identity(event_id="call-2"), properties=properties)
    assert olga.post(event_page("amend"), form).status_code == 200
    assert not UsageCorrection.objects.filter(kind="amend").exists()


def test_a_refused_amendment_is_told(olga: Staff, business: Business) -> None:
    """At its field, and nothing that was typed is lost."""
    form = form_of(event_by_identity(event_id="call-2"), customer="nobody", reason="Typed with care")
    shown = olga.post(event_page("amend"), form)
    assert shown.status_code == 200
    assert shown.context["form"].errors == {"customer": ["There is no customer 'nobody'."]}
    assert "Typed with care" in shown.content.decode()
    # What is about no field is told above the form.
    same = form_of(event_by_identity(event_id="call-2"), reason="Typed with care")
    shown = olga.post(event_page("amend"), same)
    assert (shown.status_code, told(shown)[-1]) == (200, "The event is like that already.")
    assert "Typed with care" in shown.content.decode()


def test_a_range_is_backfilled(olga: Staff, business: Business) -> None:
    now = clock.now()
    start = now - timedelta(days=400)
    form = {
        "mode": "add", "starts_at_0": f"{start:%Y-%m-%d}", "starts_at_1": "00:00:00", "ends_at_0": f"{now:%Y-%m-%d}",
        "ends_at_1": "00:00:00", "reason": "Lost by the proxy", "customer": "", "event_name": "",
    }  # fmt: skip
    assert olga.post(page("usage.usagebackfill", "add"), form).status_code == 302
    backfill = UsageBackfill.objects.get(status="open")
    assert (backfill.actor, backfill.reason) == (olga.user.email, "Lost by the proxy")
    assert audited("usage_backfill.opened").target_id == backfill.public_id
    at = business.open_invoice.period_start + timedelta(hours=2)
    late = an_event("late", timestamp=at.isoformat(), properties={"input_tokens": 2_000_000})
    stage_events(backfill=backfill, events=[late], now=now)

    asked = olga.get(page("usage.usagebackfill", "close", backfill.pk)).content.decode()
    assert "3,000,000" not in asked.split("Chat Assistant: Input tokens")[0]
    assert "$52.50 → $57.50" in asked  # the draft takes the late usage up
    assert metered("input_tokens") == 3_000_000

    response = olga.post(page("usage.usagebackfill", "close", backfill.pk))
    assert told(response) == [f"Backfill {backfill} is closed: 1 count."]
    assert metered("input_tokens") == 5_000_000
    reverted = olga.post(page("usage.usagebackfill", "revert", backfill.pk), {"reason": "Wrong file"})
    assert told(reverted)[-1] == f"Backfill {backfill} is reverted: what counted before it counts again."
    assert metered("input_tokens") == 3_000_000
    assert_totals_equal_what_counts()


def test_a_range_that_is_none_is_refused_on_the_form(olga: Staff, business: Business) -> None:
    form = {
        "mode": "add", "starts_at_0": "2026-01-02", "starts_at_1": "00:00:00", "ends_at_0": "2026-01-01",
        "ends_at_1": "00:00:00", "reason": "Lost", "customer": "", "event_name": "",
    }  # fmt: skip
    response = olga.post(page("usage.usagebackfill", "add"), form)
    assert response.status_code == 200
    assert "The end lies after the start" in response.content.decode()


def test_a_backfill_is_discarded(olga: Staff, business: Business) -> None:
    now = clock.now()
    backfill = open_backfill(starts_at=now - timedelta(days=2), ends_at=now, reason="Lost", now=now)
    assert told(olga.post(page("usage.usagebackfill", "discard", backfill.pk))) == [
        f"Backfill {backfill} is discarded."
    ]
    late = olga.post(page("usage.usagebackfill", "close", backfill.pk))
    assert told(late)[-1] == f"Backfill {backfill} is discarded."


def test_a_meter_reads_the_past(olga: Staff, business: Business, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks.run_meter_backfill, "delay", lambda pk: None)
    calls = make_meter("calls", aggregation=Meter.Aggregation.COUNT)
    shown = olga.get(page("catalog.meter", "change", calls.pk)).content.decode()
    link = f"{page('usage.meterbackfill', 'add')}?meter={calls.pk}"
    assert link in shown
    # From the first event on that is not archived.
    assert 'value="2020-02-01"' in olga.get(link).content.decode()
    form = {
        "meter": calls.pk,
        "starts_at_0": "",
        "starts_at_1": "",
        "ends_at_0": "",
        "ends_at_1": "",
        "reason": "",
    }
    refused = olga.post(page("usage.meterbackfill", "add"), form)
    assert "were archived" in refused.context["adminform"].form.errors["starts_at"][0]
    form |= {"starts_at_0": "2020-02-01", "starts_at_1": "00:00:00"}
    assert olga.post(page("usage.meterbackfill", "add"), form).status_code == 302
    asked = MeterBackfill.objects.get(status="queued")
    assert asked.actor == olga.user.email
    path = page("usage.meterbackfill", "progress", asked.pk)
    assert "HX-Refresh" not in olga.get(path).headers
    assert (
        "backfill of Calls is under way"
        in olga.post(page("usage.meterbackfill", "add"), form).content.decode()
    )
    run_backfill(backfill_id=asked.pk, now=clock.now())
    assert olga.get(path).headers["HX-Refresh"] == "true"
    assert metered("calls") == 3
    assert "Done, 100 %" in olga.get(page("catalog.meter", "change", calls.pk)).content.decode()


def test_a_reader_corrects_nothing(reader: Staff, business: Business) -> None:
    backfill = UsageBackfill.objects.get()
    for path in (
        event_page("void"), event_page("amend"), page("usage.usagebackfill", "close", backfill.pk),
        page("usage.usagebackfill", "revert", backfill.pk), page("usage.usagebackfill", "add"),
        page("usage.meterbackfill", "add"), page("usage.meterbackfill", "cancel", MeterBackfill.objects.get().pk),
    ):  # fmt: skip
        for response in (reader.get(path), reader.post(path, {"reason": "Mine"})):
            assert response.status_code == 403, path
