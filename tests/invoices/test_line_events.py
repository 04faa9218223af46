"""The events behind a line, one page at a time or all as CSV: each event on the line that counted it."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.catalog.services.plans import NewPrice
from apps.invoices.line_events import line_events
from apps.invoices.models import Invoice, InvoiceLine
from apps.invoices.services.close_periods import close_due_periods
from apps.invoices.services.finalize_invoice import finalize_due_invoices
from apps.tenants.models import Tenant
from tests.harness.clients import Api
from tests.harness.factories import an_event, flat, make_meter, make_plan, make_subscription, report
from tests.invoices.ledger import FEBRUARY, MARCH

DAY = timedelta(days=1)


def use(name: str, at: str, model: str, received: datetime, units: int = 1) -> None:
    event = an_event(name, timestamp=at, properties={"units": units, "model": model})
    [verdict] = report(event, now=received)
    assert verdict.status == "accepted"


@pytest.fixture
def invoice(in_acme: Tenant) -> Invoice:
    """January: three calls of gpt-5, one of llama, and a late one of gpt-5 that February's invoice takes."""
    make_meter("units", event_name="llm.call", dimensions=["model"])
    version = make_plan(
        "p",
        [
            flat("10"),
            NewPrice("gpt", "GPT", "per_unit", "units", unit_amount="2", filters={"model": ["gpt-5"]}),
            NewPrice("rest", "Rest", "per_unit", "units", unit_amount="1"),
        ],
    )
    make_subscription(plan_version=version)
    for day in (3, 1, 2):
        use(f"a{day}", f"2026-01-0{day}T10:00:00Z", "gpt-5", datetime(2026, 1, 9, tzinfo=UTC), units=day)
    use("=llama", "2026-01-04T10:00:00Z", "llama", datetime(2026, 1, 9, tzinfo=UTC))
    use("next", "2026-02-01T00:00:00Z", "gpt-5", datetime(2026, 2, 1, tzinfo=UTC))
    close_due_periods(FEBRUARY)
    finalize_due_invoices(FEBRUARY + DAY)
    use("late", "2026-01-05T10:00:00Z", "gpt-5", FEBRUARY + 2 * DAY)
    return Invoice.objects.get()


def ids(line: InvoiceLine) -> list[str]:
    return [event.event_id for event in line_events(line).page(limit=100)]


def test_each_event_is_behind_the_line_that_counted_it(invoice: Invoice) -> None:
    fee, gpt, rest = invoice.lines.all()
    assert (ids(fee), ids(gpt), ids(rest)) == ([], ["a1", "a2", "a3"], ["=llama"])
    assert [len(ids(line)) for line in (gpt, rest)] == [gpt.event_count, rest.event_count]


def test_late_events_are_behind_their_adjustment(invoice: Invoice) -> None:
    close_due_periods(MARCH)
    draft = Invoice.objects.get(status="draft")
    adjustment = draft.lines.get(kind="adjustment")
    assert ids(adjustment) == ["late"]
    assert ids(draft.lines.get(kind="usage", price__code="gpt")) == ["next"]
    finalize_due_invoices(MARCH + DAY)
    assert ids(InvoiceLine.objects.get(kind="adjustment")) == ["late"]


def test_days_are_the_same_as_pages(invoice: Invoice) -> None:
    gpt = invoice.lines.get(price__code="gpt")
    days = [event.event_id for day in line_events(gpt).by_day() for event in day]
    assert days == ids(gpt)


def test_costs_the_same_for_few_and_many(invoice: Invoice) -> None:
    def cost(code: str) -> int:
        line = InvoiceLine.objects.select_related("invoice", "price__meter").get(price__code=code)
        with CaptureQueriesContext(connection) as captured:
            ids(line)
        return len(captured)

    assert cost("gpt") == cost("rest")


def test_the_api_turns_pages(invoice: Invoice, acme_api: Api) -> None:
    path = f"/invoices/{invoice.number}/lines/1/events"
    first = acme_api.get(path, {"limit": "2"}).json()
    assert [one["id"] for one in first["data"]] == ["a1", "a2"]
    assert first["data"][1] == {
        "timestamp": "2026-01-02T10:00:00Z", "id": "a2", "source": "", "event": "llm.call", "value": "2",
        "received_at": "2026-01-09T00:00:00Z", "customer": invoice.customer.public_id,
    }  # fmt: skip
    second = acme_api.get(path, {"limit": "2", "cursor": first["next_cursor"]}).json()
    assert ([one["id"] for one in second["data"]], second["next_cursor"]) == (["a3"], None)


def test_the_api_streams_csv(invoice: Invoice, acme_api: Api) -> None:
    response = acme_api.get(f"/invoices/{invoice.number}/lines/2/events", {"format": "csv"})
    assert response["Content-Disposition"] == 'attachment; filename="ACME-2026-000001-line-2-events.csv"'
    assert b"".join(response.streaming_content).decode().splitlines() == [
        "timestamp,id,source,event,value,received_at,customer",
        # A spreadsheet would run it otherwise.
        "2026-01-04T10:00:00Z,'=llama,,llm.call,1,2026-01-09T00:00:00Z,chat",
    ]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"limit": "0"}, 400, "invalid_limit"),
        ({"limit": "101"}, 400, "invalid_limit"),
        ({"limit": "x"}, 400, "invalid_limit"),
        ({"cursor": "x"}, 400, "invalid_cursor"),
        ({"cursor": "WzFd"}, 400, "invalid_cursor"),
    ],
)
def test_the_api_says_what_is_wrong(
    invoice: Invoice, acme_api: Api, query: dict[str, str], status: int, code: str
) -> None:
    response = acme_api.get(f"/invoices/{invoice.number}/lines/1/events", query)
    assert (response.status_code, response.json()["code"]) == (status, code)


def test_a_line_that_is_not_there(invoice: Invoice, acme_api: Api) -> None:
    response = acme_api.get(f"/invoices/{invoice.number}/lines/9/events")
    assert (response.status_code, response.json()["code"]) == (404, "line_not_found")
