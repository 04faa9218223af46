"""Where teams are seen: invoice, events behind a line, explorer, live spend, brakes, previews, pages, API."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.analytics.accrual import accrue
from apps.audit.models import AuditEntry
from apps.core import clock
from apps.core.money import money_text
from apps.customers.models import TeamBilling
from apps.invoices import holds
from apps.invoices.brakes import quarantine
from apps.invoices.event_lines import Counted, stands_of
from apps.invoices.line_events import line_events
from apps.invoices.models import Invoice, InvoiceLine
from apps.invoices.services.backfill_preview import preview_backfill
from apps.invoices.services.close_periods import close_due_periods
from apps.invoices.services.preview_team_billing import cost_to_date
from apps.subscriptions.models import Subscription
from apps.tenants.models import Tenant
from apps.usage.models import UsageBackfill, UsageEvent
from apps.usage.services.corrections import backfills
from tests.harness.clients import Api, Staff
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import an_event, flat, make_meter, make_plan, make_subscription, report
from tests.invoices.ledger import FEBRUARY, JANUARY, metered
from tests.scenarios.lifecycle.families import TIERS, family, join, leave, named, use
from tests.scenarios.lifecycle.words import at, run


@pytest.fixture
def org(in_acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> Subscription:
    """Red is billed to org from 10 January, blue is not; 80 units of org and 40 of red cost 100.00 + 10.00."""
    monkeypatch.setattr(clock, "now", lambda: at("2026-01-25"))
    make_meter("units", unit="unit", dimensions=["model"])
    family("red", "blue")
    version = make_plan("a", [flat("10"), metered("graduated", tiers=TIERS)])
    subscription = make_subscription(named("org"), version)
    join("red", "2026-01-10")
    use("org", "2026-01-05", "o", received="2026-01-20", units=80, model="m1")
    use("red", "2026-01-09", "r-before", received="2026-01-20", units=7)
    use("red", "2026-01-12", "r", received="2026-01-20", units=40, model="m2")
    use("blue", "2026-01-12", "b", received="2026-01-20", units=1)
    return subscription


def usage_line() -> InvoiceLine:
    return InvoiceLine.objects.select_related("invoice__customer", "price__meter").get(kind="usage")


def red_and_org() -> tuple[str, str]:
    return named("red").public_id, named("org").public_id


# The invoice


def test_the_api_tells_teams_apart(org: Subscription, acme_api: Api) -> None:
    """110.00 by 80 : 40 is 73.33 and 36.67; the fee of 10.00 is the organization's."""
    run(FEBRUARY)
    red, payer = red_and_org()
    shown = acme_api.get(f"/invoices/{Invoice.objects.get().public_id}").json()
    [line] = [one for one in shown["lines"] if one["kind"] == "usage"]
    assert line["teams"] == [
        {"customer": payer, "external_id": "org", "quantity": "80", "event_count": 1, "amount": "73.33"},
        {"customer": red, "external_id": "red", "quantity": "40", "event_count": 1, "amount": "36.67"},
    ]
    assert shown["teams"] == [
        {"customer": payer, "external_id": "org", "amount": "83.33"},
        {"customer": red, "external_id": "red", "amount": "36.67"},
    ]
    assert shown["total"] == "120.00"


def test_the_page_tells_teams_apart(org: Subscription, olga: Staff) -> None:
    run(FEBRUARY)
    text = olga.get(
        reverse("admin:invoices_invoice_change", args=[Invoice.objects.get().pk])
    ).content.decode()
    for words in ("By team", "its own usage, and the fees", "$36.67", "$83.33"):
        assert words in text, words


def test_a_page_of_an_invoice_costs_the_same_with_one_team_and_with_two(
    org: Subscription, olga: Staff
) -> None:
    run(FEBRUARY)
    join("blue", "2026-02-01", now=FEBRUARY)
    for who in ("org", "red", "blue"):
        use(who, "2026-02-10", f"feb-{who}", units=10)
    run(FEBRUARY + timedelta(days=28))
    counts = []
    for invoice in Invoice.objects.order_by("id"):
        olga.get(reverse("admin:invoices_invoice_change", args=[invoice.pk]))
        with CaptureQueriesContext(connection) as captured:
            olga.get(reverse("admin:invoices_invoice_change", args=[invoice.pk]))
        counts.append(len(captured))
    assert len(set(counts)) == 1


def test_live_spend_and_upcoming(org: Subscription, olga: Staff, acme_api: Api) -> None:
    red, payer = red_and_org()
    upcoming = acme_api.get("/customers/org/invoices/upcoming").json()
    assert upcoming["total"] == "120.00"
    [line] = [one for one in upcoming["lines"] if one["kind"] == "usage"]
    assert [(one["customer"], one["amount"]) for one in line["teams"]] == [(payer, "73.33"), (red, "36.67")]
    [summary] = acme_api.get("/customers/org/usage/summary").json()["subscriptions"]
    assert (summary["amount_due"], summary["meters"][0]["quantity"]) == ("120.00", "120")
    page = olga.get(reverse("admin:customers_customer_change", args=[named("org").pk])).content.decode()
    assert "$36.67" in page
    assert "Billed here since" in page


def test_what_accrued_has_the_teams(org: Subscription) -> None:
    """Of the 110.00 of usage 80.00 were there before the 10th."""
    found = accrue(starts=[JANUARY, at("2026-01-10")], end=at("2026-01-25"))
    assert [one.amount for since in found.amounts for one in found.sums(since)] == [Decimal(110), Decimal(30)]


# The events


def test_the_events_behind_a_line_are_those_of_all(org: Subscription, acme_api: Api, olga: Staff) -> None:
    run(FEBRUARY)
    line = usage_line()
    events = line_events(line)
    assert [(one.event_id, one.customer.external_id) for one in events.page(limit=9)] == [
        ("o", "org"),
        ("r", "red"),
    ]
    assert [one.event_id for day in events.by_day() for one in day] == ["o", "r"]
    path = f"/invoices/{line.invoice.public_id}/lines/{line.position}/events"
    assert [one["customer"] for one in acme_api.get(path).json()["data"]] == [*reversed(red_and_org())]
    text = b"".join(acme_api.get(path, {"format": "csv"}).streaming_content).decode()
    assert [row.split(",")[-1] for row in text.split()] == ["customer", "org", "red"]
    page = olga.get(reverse("admin:invoices_invoice_line_events", args=[line.invoice_id, line.position]))
    assert "<th>Team</th>" in page.content.decode()


def test_a_line_s_events_cost_the_same_with_one_team_and_with_two(org: Subscription) -> None:
    def cost() -> int:
        line = usage_line()
        with CaptureQueriesContext(connection) as captured:
            line_events(line).page(limit=9)
        return len(captured)

    close_due_periods(FEBRUARY)
    one = cost()
    TeamBilling.objects.create(team=named("blue"), payer=named("org"), starts_at=JANUARY)
    assert cost() == one


@pytest.mark.parametrize(
    ("event_id", "states"),
    [("o", ["billed"]), ("r", ["billed"]), ("r-before", ["unsubscribed"]), ("b", ["unsubscribed"])],
)
def test_what_an_event_counted_for(org: Subscription, event_id: str, states: list[str]) -> None:
    run(FEBRUARY)
    event = UsageEvent.objects.select_related("shape").get(event_id=event_id)
    meter = usage_line().price.meter
    assert meter is not None
    found = stands_of(event, [Counted(meter.pk, {}, event.received_at)], voided_at=None)
    assert [one.state for one in found] == states


def test_the_explorer_says_who_pays(org: Subscription, olga: Staff) -> None:
    from apps.invoices.admin.event_panel import billing_of  # noqa: PLC0415 - the panel alone

    event = UsageEvent.objects.select_related("shape", "customer").get(event_id="r")
    [row] = billing_of(None, event)["rows"]  # type: ignore[arg-type]
    assert "of Org, which pays for this team" in row["plan"]


# Quarantine, backfills, retention


def test_waiting_events_of_a_team_hold_the_payer_s_draft(org: Subscription) -> None:
    for number, (team, day) in enumerate([("red", 12), ("red", 9), ("blue", 12)]):
        report(
            an_event(
                f"q{number}",
                customer=team,
                event="unknown.name",
                timestamp=at(f"2026-01-{day:02}").isoformat(),
            ),
            now=at("2026-01-25"),
        )
    close_due_periods(FEBRUARY)
    invoice = Invoice.objects.get()
    [found] = quarantine(invoice, list(invoice.lines.all()))
    # Of red since it joined; blue pays for itself.
    assert found.measure == 1


def test_a_backfill_of_a_team_shows_the_payer_s_invoices(org: Subscription) -> None:
    close_due_periods(FEBRUARY)
    backfill: Any = backfills.open_backfill(
        starts_at=at("2026-01-12"), ends_at=at("2026-01-13"), customer=named("red"), mode=UsageBackfill.Mode.REPLACE,
        reason="wrong", now=FEBRUARY,
    )  # fmt: skip
    found = preview_backfill(backfill=backfill, now=FEBRUARY)
    # Red's 40 units go: 80 units and the fee are left.
    [draft] = [one for one in found.invoices if one.draft]
    assert (draft.customer.external_id, draft.before, draft.after) == ("org", 120, 90)


def test_retention_keeps_what_the_payer_s_draft_will_read(org: Subscription) -> None:
    assert holds.open_periods_need() == JANUARY
    close_due_periods(FEBRUARY)
    assert holds.drafts_need() == JANUARY


# Starting and stopping


def test_the_api_starts_stops_and_lists(org: Subscription, acme_api: Api) -> None:
    blue = {"when": "date", "at": "2026-01-20T00:00:00Z", "reason": "One budget"}
    started = acme_api.post("/customers/blue/bill_to_parent", blue)
    assert started.status_code == 200
    assert started.json() == {
        "team": named("blue").public_id, "team_external_id": "blue", "payer": named("org").public_id,
        "payer_external_id": "org", "starts_at": "2026-01-20T00:00:00Z", "ends_at": None,
    }  # fmt: skip
    listed = acme_api.get("/customers/org/team_billings").json()["data"]
    assert sorted(one["team_external_id"] for one in listed) == ["blue", "red"]
    assert len(acme_api.get("/customers/red/team_billings").json()["data"]) == 1
    again = acme_api.post("/customers/blue/bill_to_parent", blue)
    assert (again.status_code, again.json()["code"]) == (409, "already_billed_to_parent")
    stopped = acme_api.post(
        "/customers/blue/stop_billing_to_parent", {"when": "now", "reason": "Not any more"}
    )
    assert stopped.json()["ends_at"] == "2026-01-25T00:00:00Z"
    entry = AuditEntry.objects.get(action="customer.billed_itself")
    assert (entry.reason, entry.changes["ends_at"]) == ("Not any more", [None, "2026-01-25T00:00:00Z"])
    wrong = acme_api.post("/customers/blue/bill_to_parent", {"when": "now", "at": blue["at"], "reason": "x"})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "field_not_allowed")
    alone = acme_api.post("/customers/org/bill_to_parent", {"when": "now", "reason": "x"})
    assert alone.json()["code"] == "no_parent"


def test_the_api_previews_what_it_then_does(org: Subscription, acme_api: Api) -> None:
    """Blue joins from the 20th on: what its usage since then adds to the open period of the parent, and takes off."""

    def cost() -> str:
        return money_text(cost_to_date(named("org"), clock.now()), "USD")

    body = {"when": "date", "at": "2026-01-11T00:00:00Z", "reason": "One budget"}
    for verb, change in (
        ("bill_to_parent", body),
        ("stop_billing_to_parent", body | {"at": "2026-01-12T00:00:00Z"}),
    ):
        before = cost()
        with nothing_changes_in("acme"):
            seen = acme_api.post(f"/customers/blue/{verb}/preview", change)
        assert seen.status_code == 200, seen.json()
        done = acme_api.post(f"/customers/blue/{verb}", change)
        assert seen.json() == {
            "billing": done.json(), "currency": "USD", "before": before, "after": cost()
        }  # fmt: skip
        assert seen.json()["after"] != before
    again = acme_api.post("/customers/org/bill_to_parent/preview", {"when": "now", "reason": "x"})
    assert (again.status_code, again.json()["code"]) == (409, "no_parent")


@pytest.mark.parametrize(
    ("team", "page", "at_time"),
    [("blue", "bill_to_parent", "2026-01-11T00:00"), ("red", "stop_billing_to_parent", "")],
)
def test_staff_look_before_they_do_it(
    org: Subscription, olga: Staff, team: str, page: str, at_time: str
) -> None:
    """Blue's unit of the 12th costs 0.50 more; to stop from now on takes nothing off."""
    path = reverse(f"admin:subscriptions_subscription_{page}", args=[named(team).pk])
    olga.get("/admin/")  # signs in
    form = {"when": "date" if at_time else "now", "at": at_time, "reason": "One budget"}
    words = "$120.00 now, $120.50 with it" if at_time else "$120.00 now, $120.00 with it"
    with nothing_changes_in("acme"):
        assert "Preview" in olga.get(path).content.decode()
        seen = olga.post(path, form)
        assert words in seen.content.decode()
        assert olga.post(path, form | {"seal": "wrong"}).status_code == 200
    [(name, seal)] = seen.context["question"].hidden
    done = olga.post(path, form | {name: seal})
    assert done.status_code == 302
    assert AuditEntry.objects.filter(reason="One budget", actor=olga.email).exists()
    assert team.title() in olga.get(done["Location"]).content.decode()


def test_what_is_refused_is_said_at_the_field(org: Subscription, olga: Staff) -> None:
    run(FEBRUARY)
    path = reverse("admin:subscriptions_subscription_bill_to_parent", args=[named("blue").pk])
    seen = olga.post(path, {"when": "date", "at": "2026-01-11T00:00", "reason": "x"})
    assert "billed until" in str(seen.context["form"].errors["at"])


def test_support_may_not(org: Subscription, sam: Staff) -> None:
    for page in ("bill_to_parent", "stop_billing_to_parent"):
        path = reverse(f"admin:subscriptions_subscription_{page}", args=[named("blue").pk])
        assert sam.get(path).status_code == 403


def test_the_team_s_page_says_who_pays(org: Subscription, olga: Staff) -> None:
    def text_of(name: str) -> str:
        return olga.get(reverse("admin:customers_customer_change", args=[named(name).pk])).content.decode()

    assert "Paid by" in text_of("red")
    assert "Stop billing to the parent" in text_of("red")
    assert "pays for itself" in text_of("blue")
    leave("red", "2026-01-20")
    assert "Bill to Org" in text_of("red")
