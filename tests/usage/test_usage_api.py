"""GET /usage: windows, groups, filters, pages and CSV."""

import csv
from io import StringIO
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.customers.models import Customer
from apps.usage.selectors import totals_of
from tests.harness.clients import Api
from tests.harness.factories import an_event, make_customer, make_meter, report

DAYS = "start=2026-01-14T00:00:00Z&end=2026-01-17T00:00:00Z"
Row = tuple[str, str, str]


@pytest.fixture
def used(in_acme: Any) -> Customer:
    chat = make_customer("chat", time_zone="Asia/Kathmandu")
    make_customer("team", parent=chat)
    make_meter("tokens", event_name="use", dimensions=["model"])
    make_meter("top", event_name="use", aggregation="max", value_property="tokens", dimensions=["model"])
    rows = [("14T01:00", 5, "a"), ("15T18:14", 7, "a"), ("15T18:15", 11, "b"), ("16T23:59", 13, "")]
    report(
        *(
            an_event(
                f"e{number}",
                event="use",
                timestamp=f"2026-01-{at}:00Z",
                properties={"tokens": tokens, "model": model},
            )
            for number, (at, tokens, model) in enumerate(rows)
        ),
        an_event(
            "t", event="use", customer="team", timestamp="2026-01-15T00:00:00Z", properties={"tokens": 99}
        ),
    )
    return chat


def rows_of(answer: Any) -> list[tuple[str, str, str]]:
    """Meter, start, quantity."""
    assert answer.status_code == 200, answer.content
    return [(row["meter"], row["start"][5:16], row["quantity"]) for row in answer.json()["data"]]


def test_the_whole_period_without_windows(used: Customer, acme_api: Api) -> None:
    answer = acme_api.get(f"/usage?customer=chat&{DAYS}")
    body = answer.json()
    assert rows_of(answer) == [("tokens", "01-14T00:00", "36"), ("top", "01-14T00:00", "13")]
    assert (body["customer"], body["window"], body["next_cursor"]) == (used.public_id, None, None)
    assert body["data"][0] == {
        "customer": used.public_id, "meter": "tokens", "unit": "token", "start": "2026-01-14T00:00:00Z",
        "end": "2026-01-17T00:00:00Z", "dimensions": {}, "quantity": "36", "event_count": 4,
    }  # fmt: skip


def test_days_are_the_customer_s_and_empty_ones_are_zero(used: Customer, acme_api: Api) -> None:
    """Midnight in Kathmandu is 18:15 UTC."""
    answer = acme_api.get(f"/usage?customer=chat&meter=tokens&window=day&{DAYS}")
    assert rows_of(answer) == [
        ("tokens", "01-14T00:00", "5"),
        ("tokens", "01-14T18:15", "7"),
        ("tokens", "01-15T18:15", "11"),
        ("tokens", "01-16T18:15", "13"),
    ]
    answer = acme_api.get(f"/usage?customer=chat&meter=tokens&window=day&time_zone=UTC&{DAYS}")
    assert [row[2] for row in rows_of(answer)] == ["5", "18", "13"]
    empty = acme_api.get(
        "/usage?customer=chat&meter=tokens&window=hour&start=2026-02-01T00:00:00Z&end=2026-02-01T03:00:00Z"
    )
    assert [row[2] for row in rows_of(empty)] == ["0", "0", "0", "0"]


def test_groups_and_filters(used: Customer, acme_api: Api) -> None:
    answer = acme_api.get(f"/usage?customer=chat&meter=tokens&group_by=model&{DAYS}")
    assert [(row["dimensions"], row["quantity"]) for row in answer.json()["data"]] == [
        ({"model": ""}, "13"), ({"model": "a"}, "12"), ({"model": "b"}, "11"),
    ]  # fmt: skip
    filtered = acme_api.get(f"/usage?customer=chat&filter[model]=a&filter[model]=b&{DAYS}")
    assert [row[2] for row in rows_of(filtered)] == ["23", "11"]
    none = acme_api.get(f"/usage?customer=chat&meter=top&group_by=model&filter[model]=c&{DAYS}")
    assert [(row["dimensions"], row["quantity"]) for row in none.json()["data"]] == [(None, "0")]


def test_children_are_kept_apart(used: Customer, acme_api: Api) -> None:
    team = Customer.objects.get(external_id="team")
    answer = acme_api.get(f"/usage?customer={used.public_id}&include_children=true&meter=tokens&{DAYS}")
    assert [(row["customer"], row["quantity"]) for row in answer.json()["data"]] == [
        (used.public_id, "36"), (team.public_id, "99"),
    ]  # fmt: skip


def test_pages_are_the_whole_answer_in_parts(used: Customer, acme_api: Api) -> None:
    path = f"/usage?customer=chat&include_children=true&window=day&group_by=model&{DAYS}"
    whole = acme_api.get(path).json()
    assert whole["next_cursor"] is None
    found, cursor = [], ""
    for _ in range(3):
        page = acme_api.get(f"{path}&limit=3&cursor={cursor}" if cursor else f"{path}&limit=3").json()
        found += page["data"]
        cursor = page["next_cursor"]
    assert (found, cursor) == (whole["data"], None)


def test_a_page_ends_with_the_window_in_which_it_is_full(
    used: Customer, acme_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.usage.api.usage.MAX_ROWS", 1)
    first = acme_api.get(f"/usage?customer=chat&window=day&{DAYS}").json()
    assert len(first["data"]) == 2
    assert first["next_cursor"]


def test_csv_has_all_rows(used: Customer, acme_api: Api) -> None:
    path = f"/usage?customer=chat&include_children=true&window=day&group_by=model&limit=1&{DAYS}"
    answer = acme_api.get(f"{path}&format=csv")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    text = b"".join(answer.streaming_content).decode()
    head, *rows = list(csv.reader(StringIO(text)))
    assert head == [
        "customer",
        "external_id",
        "meter",
        "unit",
        "start",
        "end",
        "model",
        "quantity",
        "event_count",
    ]
    whole = acme_api.get(path.replace("limit=1", "limit=100")).json()["data"]
    assert [(row[2], row[4], row[7]) for row in rows] == [
        (row["meter"], row["start"], row["quantity"]) for row in whole
    ]
    by_header = acme_api.client.get(f"/api/v1{path}", headers={"Accept": "text/csv"})
    assert b"".join(by_header.streaming_content).decode() == text


def test_the_cost_does_not_depend_on_windows(used: Customer, acme_api: Api) -> None:
    counts = set()
    acme_api.get(f"/usage?customer=chat&{DAYS}")
    for window in ("day", "hour"):
        with CaptureQueriesContext(connection) as queries:
            acme_api.get(f"/usage?customer=chat&window={window}&{DAYS}")
        counts.add(len(queries))
    assert len(counts) == 1


@pytest.mark.parametrize(
    ("query", "status", "param"),
    [
        ("", 400, "/customer"),
        ("customer=nobody", 404, ""),
        ("customer=chat&meter=nothing", 404, "/meter"),
        ("customer=chat&window=minute&start=2026-01-01T00:00:00Z&end=2026-01-03T00:00:00Z", 400, "/window"),
        ("customer=chat&window=year", 400, "/window"),
        ("customer=chat&time_zone=Mars", 400, "/time_zone"),
        ("customer=chat&group_by=colour", 400, "/group_by"),
        ("customer=chat&filter[colour]=red", 400, "/filter[colour]"),
        ("customer=chat&windows=day", 400, "/windows"),
        ("customer=chat&period=current&start=2026-01-01T00:00:00Z&end=2026-01-03T00:00:00Z", 400, "/period"),
        ("customer=chat&start=2026-01-01T00:00:00Z", 400, "/end"),
        ("customer=chat&cursor=zzz", 400, "/cursor"),
        ("customer=chat&limit=0", 400, "/limit"),
        ("customer=%00", 400, ""),
        ("customer=chat&meter=%00", 400, ""),
    ],
)
def test_what_is_asked_wrongly_is_refused(
    used: Customer, acme_api: Api, query: str, status: int, param: str
) -> None:
    answer = acme_api.get(f"/usage?{query}")
    assert (answer.status_code, answer.json().get("param", "")) == (status, param)


def test_the_longest_day_has_room_for_its_minutes(used: Customer, acme_api: Api) -> None:
    day = "start=2026-10-24T22:00:00Z&end=2026-10-25T23:00:00Z&time_zone=Europe/Berlin"
    answer = acme_api.get(f"/usage?customer=chat&meter=tokens&window=minute&limit=1500&{day}")
    assert len(rows_of(answer)) == 25 * 60


def test_another_tenant_s_customer_is_not_there(used: Customer, globex_api: Api) -> None:
    for reference in ("chat", used.public_id):
        assert globex_api.get(f"/usage?customer={reference}").status_code == 404
        assert globex_api.get(f"/customers/{reference}/usage/summary").status_code == 404


def test_no_more_groups_are_read_than_a_page_may_have(
    used: Customer, acme_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day has a group of each of two meters; the pages and the file are the same as when all is read at once."""
    path = f"/usage?customer=chat&include_children=true&window=day&group_by=model&{DAYS}"
    whole = acme_api.get(path).json()
    file = b"".join(acme_api.get(f"{path}&format=csv").streaming_content)
    seen: list[int] = []

    def counted(*given: Any, **more: Any) -> Any:
        found = totals_of(*given, **more)
        seen.append(sum(map(len, found)))
        return found

    monkeypatch.setattr("apps.usage.selectors.usage_rows.totals_of", counted)
    monkeypatch.setattr("apps.usage.api.usage_query.MAX_GROUPS", 4)
    again = acme_api.get(path).json()
    assert (again["data"], again["next_cursor"]) == (whole["data"], None)
    assert len(seen) > 1
    assert max(seen) <= 4
    monkeypatch.setattr("apps.usage.api.usage_csv.ROWS_AT_ONCE", 3)
    monkeypatch.setattr("apps.usage.api.usage_query.WINDOWS_AT_ONCE", 1)
    assert b"".join(acme_api.get(f"{path}&format=csv").streaming_content) == file
    # A window that is too large by itself.
    monkeypatch.setattr("apps.usage.api.usage_query.MAX_GROUPS", 1)
    answer = acme_api.get(path)
    assert (answer.status_code, answer.json()["code"]) == (400, "too_many_groups")
    assert b"".join(acme_api.get(f"{path}&format=csv").streaming_content) == file


def test_windows_behind_a_full_page_are_not_read(
    used: Customer, acme_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def counted(spans: Any, *given: Any, **more: Any) -> Any:
        asked.append(len(spans))
        return totals_of(spans, *given, **more)

    monkeypatch.setattr("apps.usage.selectors.usage_rows.totals_of", counted)
    monkeypatch.setattr("apps.usage.api.usage_query.WINDOWS_AT_ONCE", 2)
    monkeypatch.setattr("apps.usage.api.usage.MAX_ROWS", 5)
    page = acme_api.get(f"/usage?customer=chat&window=hour&group_by=model&{DAYS}").json()
    assert (asked, bool(page["next_cursor"])) == ([2, 2], True)
