"""The event explorer and an event's page: what became of an event, told to support."""

from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.access.models import StaffUser
from apps.catalog.models import Meter
from apps.core import clock
from apps.invoices.services.finalize_invoice import finalize_invoice
from apps.tenants.models import Tenant
from apps.usage.admin.raw_event import indented
from apps.usage.admin.usage_event import lag_text
from apps.usage.models import UsageEvent
from apps.usage.selectors import key_of
from apps.usage.services.corrections.amend_event import amend_event
from apps.usage.services.corrections.void_event import void_event
from apps.usage.services.meter_backfill import request, run
from tests.admin.business import Business
from tests.admin.test_pages import page
from tests.harness.cast import PASSWORD
from tests.harness.clients import Api, Staff
from tests.harness.factories import an_event, make_customer, make_meter, report

LIST = page("usage.usageevent", "changelist")


def page_of(event: UsageEvent) -> str:
    return page("usage.usageevent", "change", key_of(event))


def the_event(event_id: str, revision: int = 0) -> UsageEvent:
    return UsageEvent.objects.select_related("shape").get(event_id=event_id, shape__revision=revision)


def panels_of(staff: Staff, event: UsageEvent) -> dict[str, dict[str, Any]]:
    found = staff.get(page_of(event)).context["panels"]
    return {one["template"].rsplit("/", 1)[1].removesuffix(".html"): one for one in found}


def listed(staff: Staff, **asked: Any) -> list[str]:
    return [one.event_id for one in staff.get(LIST, asked).context["cl"].result_list]


# The list


def test_each_row_leads_to_its_own_event(olga: Staff, business: Business) -> None:
    """Two events with one id, of two sources."""
    report(an_event("call-0", source="eu", timestamp=None), now=clock.now())
    content = olga.get(LIST).content.decode()
    for source in ("", "eu"):
        event = UsageEvent.objects.select_related("shape").get(event_id="call-0", shape__source=source)
        assert page_of(event) in content
        assert olga.get(page_of(event)).context["original"].source == source


def test_an_id_leads_to_its_event_too(olga: Staff, business: Business) -> None:
    report(an_event("x/1", source="eu", timestamp=None), now=clock.now())
    for name in ("call-1", "eu/x/1", "x/1"):
        response = olga.get(page("usage.usageevent", "change", name.replace("/", "_2F")))
        assert response.status_code == (302 if name == "x/1" else 200), name


def test_filters_are_put_together(olga: Staff, business: Business) -> None:
    chat, now = business.customer.pk, clock.now()
    day = {"timestamp_from_0": f"{now:%Y-%m-%d}", "timestamp_from_1": "00:00:00"}
    assert listed(olga) == ["call-2", "call-1", "call-0"]
    assert listed(olga, **day) == ["call-2"]
    assert listed(olga, customer__id__exact=chat, **day) == ["call-2"]
    assert listed(olga, customer__id__exact=chat + 1) == []
    assert listed(olga, event_name="llm.call", verdict="counted") == ["call-2", "call-1", "call-0"]
    assert listed(olga, p=2) == listed(olga, p=1000) == []


@pytest.mark.parametrize(
    "asked", [{"meter": "x"}, {"timestamp__gte": "x"}, {"customer__id__exact": "9" * 30}]
)
def test_nonsense_leads_to_the_whole_list(olga: Staff, business: Business, asked: dict[str, str]) -> None:
    response = olga.get(LIST, asked)
    assert response.status_code == 302
    assert olga.get(response.headers["Location"]).status_code == 200


def test_verdicts(olga: Staff, business: Business) -> None:
    void_event(event_id="call-1", reason="Sent by mistake", now=clock.now())
    assert listed(olga, verdict="voided") == ["call-1"]
    content = olga.get(LIST).content.decode()
    assert content.count("ch-danger") == 1
    response = olga.get(LIST, {"verdict": "quarantined", "event_name": "llm.call"})
    assert response.headers["Location"].endswith("?status__exact=waiting&event_name__exact=llm.call")
    report({"id": "bad"})
    content = olga.get(LIST, {"verdict": "rejected"}).content.decode()
    assert "Rejected events are not stored" in content
    assert "there were 1" in content


def test_empty_lists_teach(olga: Staff, business: Business) -> None:
    assert "waits in quarantine" in olga.get(LIST, {"q": "lost-1"}).content.decode()
    assert "letter by letter" in olga.get(LIST, {"q": "LOST"}).content.decode()
    assert "No such events" in olga.get(LIST, {"event_name": "none"}).content.decode()


def test_an_empty_tenant_is_told_where_events_come_from(olga: Staff) -> None:
    assert "/api/v1/events" in olga.get(LIST).content.decode()


# One event


def test_the_raw_event_keeps_every_digit(olga: Staff, acme_api: Api, in_acme: Tenant) -> None:
    make_customer()
    make_meter(dimensions=["model"])
    number = "0.100000000000000005"
    body = (
        '{"events": [{"id": "e1", "event": "llm.call", "customer": "chat", "properties":'
        f' {{"input_tokens": {number}, "model": "a, {{b}}", "note": [1.10, 1e3]}}}}]}}'
    )
    assert acme_api.post("/events", body.encode()).status_code == 200
    content = unescape(olga.get(page_of(the_event("e1"))).content.decode())
    for words in (f'    "input_tokens": {number},', '"model": "a, {b}"', "      1.10,"):
        assert words in content, words


def test_indented_is_the_same_json() -> None:
    assert indented('{"a":[],"b":{},"c":[1.10,{"d":"x, {y}: \\\\"}]}') == (
        '{\n  "a": [],\n  "b": {},\n  "c": [\n    1.10,\n    {\n      "d": "x, {y}: \\\\"\n    }\n  ]\n}'
    )


def test_lags() -> None:
    assert [lag_text(one) for one in (-1, 0.04, 90, 120, 7200, 172_800)] == [
        "its time lies ahead", "0.0 s", "90.0 s", "2 min", "2 h", "2 days",
    ]  # fmt: skip


def test_why_meters_did_not_count(olga: Staff, in_acme: Tenant) -> None:
    make_customer()
    make_meter("input_tokens", dimensions=["model"], unit="token")
    make_meter(
        "eu",
        filters=[{"property": "region", "operator": "in", "values": ["eu", "us"]}],
        value_property="input_tokens",
    )
    make_meter("absent", value_property="audio_seconds")
    make_meter("formula", value_property="", value_expression="audio_seconds * 2")
    make_meter("draft", status="draft", value_property="input_tokens")
    gone = make_meter("gone", value_property="input_tokens")
    Meter.objects.filter(pk=gone.pk).update(archived_at=clock.now() - timedelta(days=1))
    report(
        an_event(
            "e1", timestamp=None, properties={"input_tokens": 5, "region": "ap", "model": "gpt-5", "bad": "x"}
        )
    )
    make_meter("younger", value_property="input_tokens")
    make_meter("no_number", value_property="bad")
    panel = panels_of(olga, the_event("e1"))["readings"]
    read = [(one["meter"].code, one["value"], one["unit"], one["badges"]) for one in panel["readings"]]
    assert [one[:3] for one in read] == [("input_tokens", "5", "token"), ("draft", "5", "token")]
    assert [[badge["text"] for badge in one[3]] for one in read] == [[], ["Draft"]]
    assert panel["readings"][0]["dimensions"] == {"model": "gpt-5"}
    why = {one["meter"].code: one["why"] for one in panel["others"]}
    assert why["eu"] == "The filter region in eu, us does not hold: it is “ap”."
    assert why["absent"] == "The event does not have audio_seconds."
    assert "audio_seconds" in why["formula"]
    assert why["gone"].startswith("The meter was archived on")
    assert why["younger"].startswith("The meter is younger than the event")
    assert why["no_number"] == "bad is metered and 'x' is no number."
    assert set(why) == {"eu", "absent", "formula", "gone", "younger", "no_number"}


def test_revisions_lead_to_each_other(olga: Staff, business: Business) -> None:
    now = clock.now()
    assert "revisions" not in panels_of(olga, the_event("call-2"))
    amend_event(
        event_id="call-2", changes={"properties": {"input_tokens": 7}}, reason="Wrong number", now=now
    )
    void_event(event_id="call-2", reason="Not theirs", now=now)
    first, second = the_event("call-2"), the_event("call-2", revision=1)
    content = olga.get(page_of(first)).content.decode()
    for words in ("Wrong number", "Not theirs", page_of(second), "Voided"):
        assert words in content
    rows = panels_of(olga, second)["revisions"]["revisions"]
    assert [(one["name"], one["is_this"], one["is_counted"]) for one in rows] == [
        ("Revision 1", True, False), ("As it was sent", False, False),
    ]  # fmt: skip
    assert olga.get(page_of(second)).context["original"].shape.revision == 1


def billing(staff: Staff, event_id: str, revision: int = 0) -> list[tuple[str, str, str]]:
    rows = panels_of(staff, the_event(event_id, revision))["of_event"]["rows"]
    return [(one["meter"].code, one["badge"], one["line"]["invoice"] if one["line"] else "") for one in rows]


def test_on_which_line_an_event_stands(olga: Staff, business: Business) -> None:
    number = business.open_invoice.number or ""
    assert billing(olga, "call-0") == [
        ("input_tokens", "Billed", number),
        ("output_tokens", "Billed", number),
    ]
    assert billing(olga, "call-1")[0] == ("input_tokens", "On a draft", "Draft")
    assert billing(olga, "call-2")[0] == ("input_tokens", "Not billed yet", "")


def test_late_usage_stands_on_its_adjustment(olga: Staff, business: Business) -> None:
    start = business.open_invoice.period_start
    report(an_event("late", timestamp=(start + timedelta(days=2)).isoformat()), now=clock.now())
    assert billing(olga, "late")[0] == ("input_tokens", "Not billed yet", "")
    finalized = finalize_invoice(invoice=business.draft, now=clock.now())
    rows = panels_of(olga, the_event("late"))["of_event"]["rows"]
    assert rows[0]["line"]["invoice"] == finalized.number
    assert rows[0]["line"]["description"] == "Input tokens: late usage"
    assert rows[0]["words"] == "It stands on this invoice as late usage."
    # What was billed before is where it was.
    assert billing(olga, "call-0")[0][2] == business.open_invoice.number


def test_what_is_voided_is_taken_back_by_the_next_invoice(olga: Staff, business: Business) -> None:
    for name in ("call-0", "call-2"):
        void_event(event_id=name, reason="Not theirs", now=clock.now())
    assert billing(olga, "call-2")[0] == ("input_tokens", "Voided", "")
    (row, _) = panels_of(olga, the_event("call-0"))["of_event"]["rows"]
    assert (row["badge"], row["back"]) == ("Taken back", None)
    assert "The next invoice takes it back" in row["words"]
    finalized = finalize_invoice(invoice=business.draft, now=clock.now())
    (row, _) = panels_of(olga, the_event("call-0"))["of_event"]["rows"]
    assert (row["line"]["invoice"], row["back"]["invoice"]) == (
        business.open_invoice.number,
        finalized.number,
    )


def test_what_nobody_prices_is_said(olga: Staff, business: Business) -> None:
    make_meter("images", event_name="image.render", aggregation="count")
    make_meter("previews", event_name="image.render", aggregation="count", status="draft")
    make_customer("free")
    report(
        an_event("i1", event="image.render", timestamp=None),
        an_event("i2", event="image.render", customer="free", timestamp=None),
    )
    assert billing(olga, "i1") == [("images", "Not priced", ""), ("previews", "Not billed", "")]
    assert [badge for _, badge, _ in billing(olga, "i2")] == ["Not billed", "Not billed"]


def test_what_a_younger_meter_read_is_marked(olga: Staff, business: Business) -> None:
    young = make_meter("cached", value_property="input_tokens")
    job = request.request_backfill(
        meter=young, starts_at=business.this_month - timedelta(days=70), reason="New price", now=clock.now()
    )
    run.run_backfill(backfill_id=job.pk, now=clock.now())
    panel = panels_of(olga, the_event("call-0"))["readings"]
    row = next(one for one in panel["readings"] if one["meter"].pk == young.pk)
    assert [one["text"] for one in row["badges"]] == ["Backfilled"]
    assert row["value"] == "1,000,000"
    assert ("cached", "Not priced", "") in billing(olga, "call-0")


# Who, and at what cost


def test_those_who_may_not_see_invoices_see_no_lines(business: Business, in_acme: Tenant) -> None:
    user = StaffUser.objects.create_user("events@acme.example", PASSWORD)
    user.user_permissions.set(Permission.objects.filter(codename="view_usageevent"))
    panels = panels_of(Staff(in_acme, user.email), the_event("call-0"))
    assert set(panels) == {"readings", "raw"}


def test_another_tenants_event_is_not_found(stan: Staff, business: Business) -> None:
    event = the_event("call-0")
    for name in (key_of(event), "call-0"):
        assert stan.get(page("usage.usageevent", "change", name)).status_code in (302, 403, 404)
    assert listed(stan) == []


def test_the_page_has_a_budget(olga: Staff, business: Business) -> None:
    def queries(path: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert olga.get(path).status_code == 200
        return len(captured)

    path = page_of(the_event("call-0"))
    olga.get(path)
    before = queries(path)
    for index in range(6):
        make_meter(f"more{index}")
    for index in range(4):
        amend_event(
            event_id="call-0", changes={"properties": {"input_tokens": index}}, reason="No", now=clock.now()
        )
    assert queries(path) == before <= 40
