"""A customer on a plan with fees and metered prices, moved to new prices on the way, through the API alone."""

from typing import Any

import pytest

from tests.scenarios.life import Life, lines

METER = {
    "name": "Tokens", "event_name": "llm.call", "aggregation": "sum", "unit": "token",
    "dimensions": ["model", "region"],
}  # fmt: skip


def plan_prices(base: str, token: str) -> list[dict[str, Any]]:
    return [
        {"code": "setup", "name": "Set-up", "model": "flat", "flat_amount": "50", "billing_timing": "once"},
        {"code": "base", "name": "Base", "model": "flat", "flat_amount": base, "billing_timing": "advance"},
        {
            "code": "gpt-5", "name": "GPT-5 tokens", "model": "graduated", "meter": "input_tokens",
            "filters": {"model": ["gpt-5"]},
            "tiers": [{"up_to": "1000000", "unit_amount": token}, {"up_to": None, "unit_amount": "0.000001"}],
        },
        {
            "code": "tokens", "name": "Other tokens", "model": "per_unit", "meter": "input_tokens",
            "unit_amount": "0.0005", "convert": {"divide_by": "1000", "rounding": "up"},
        },
    ]  # fmt: skip


@pytest.fixture
def pro(life: Life) -> Life:
    life.do("/meters", METER | {"code": "input_tokens", "value_property": "input_tokens"})
    life.do("/plans", {"code": "pro", "name": "Pro", "prices": plan_prices("31", "0.000002")})
    life.do("/plans/pro/versions/1/publish", status=200)
    life.do("/customers", {"external_id": "chat", "name": "Chat"})
    return life


def call(life: Life, at: str, tokens: int, model: str = "gpt-5") -> None:
    event = {
        "id": f"call-{next(life.numbers)}", "event": "llm.call", "customer": "chat", "timestamp": at,
        "properties": {"input_tokens": tokens, "model": model},
    }  # fmt: skip
    assert life.api.report(event)["accepted"] == 1


def test_from_the_preview_to_the_invoice(pro: Life) -> None:
    """What the calculator says beforehand stands on the invoice afterwards."""
    quantities = {"gpt-5": "1500000", "tokens": "1500"}
    told = pro.do("/prices/preview", {"plan": "pro", "quantities": quantities}, 200)
    assert {line["price"]: line["amount"] for line in told["lines"]} == {
        "setup": "50.00",
        "base": "31.00",
        "gpt-5": "2.50",  # 1,000,000 × 0.000002 + 500,000 × 0.000001
        "tokens": "0.00",  # 2 × 0.0005 = 0.001
    }
    pro.do("/subscriptions", {"customer": "chat", "plan": "pro", "started_at": "2026-01-01T00:00:00Z"})
    pro.advance("2026-01-20T00:00:00Z")
    call(pro, "2026-01-10T00:00:00Z", 1_500_000)
    call(pro, "2026-01-10T00:00:00Z", 1_500, model="llama")
    upcoming = pro.upcoming("chat")
    pro.advance("2026-02-03T00:00:00Z")
    opening, january = pro.invoices("chat")
    assert lines(opening) == [("flat", "Set-up", None, "50.00"), ("flat", "Base", None, "31.00")]
    assert lines(january) == [
        ("usage", "GPT-5 tokens", "1500000", "2.50"),
        ("usage", "Other tokens", "1500", "0.00"),
        ("flat", "Base", None, "31.00"),  # February's
    ]
    fields = (
        "kind",
        "price",
        "quantity",
        "event_count",
        "amount",
        "unrounded_amount",
        "steps",
        "period_start",
    )
    assert [[line[name] for name in fields] for line in upcoming["lines"]] == [
        [line[name] for name in fields] for line in january["lines"]
    ]
    assert upcoming["total"] == january["total"] == "33.50"


def test_new_prices_now(pro: Life) -> None:
    """Moved when half of January is over: usage is split, the base fee shared, tiers begin anew."""
    pro.do("/subscriptions", {"customer": "chat", "plan": "pro", "started_at": "2026-01-01T00:00:00Z"})
    pro.advance("2026-01-16T12:00:00Z")
    call(pro, "2026-01-10T00:00:00Z", 1_500_000)
    pro.do("/plans/pro/versions", {"prices": plan_prices("62", "0.000004")})
    pro.do("/plans/pro/versions/2/publish", {"existing": "now"}, 200)
    pro.advance("2026-01-20T00:00:00Z")
    call(pro, "2026-01-18T00:00:00Z", 1_500_000)
    upcoming = pro.upcoming("chat")
    assert [(line["price"], line["plan_version"]) for line in upcoming["lines"]][:4] == [
        ("gpt-5", 1), ("tokens", 1), ("gpt-5", 2), ("tokens", 2),
    ]  # fmt: skip
    pro.advance("2026-03-02T00:00:00Z")
    _, january, february = pro.invoices("chat")
    assert lines(january) == [
        ("usage", "GPT-5 tokens", "1500000", "2.50"),
        ("usage", "Other tokens", "0", "0.00"),
        ("usage", "GPT-5 tokens", "1500000", "4.50"),  # 1,000,000 × 0.000004 + 500,000 × 0.000001
        ("usage", "Other tokens", "0", "0.00"),
        ("credit", "Base: unused part", None, "-15.50"),  # half of the 31 that the opening asked
        ("flat", "Base", None, "31.00"),  # half of 62
        ("flat", "Base", None, "62.00"),  # February's
    ]
    assert january["total"] == upcoming["total"] == "84.50"
    assert (february["total"], february["status"]) == ("62.00", "open")


def test_new_prices_at_renewal_and_a_late_event_at_the_old_ones(pro: Life) -> None:
    pro.do("/subscriptions", {"customer": "chat", "plan": "pro", "started_at": "2026-01-01T00:00:00Z"})
    pro.advance("2026-01-20T00:00:00Z")
    call(pro, "2026-01-10T00:00:00Z", 800_000)
    pro.do("/plans/pro/versions", {"prices": plan_prices("62", "0.000004")})
    pro.do("/plans/pro/versions/2/publish", {"existing": "at_renewal"}, 200)
    pro.advance("2026-02-10T00:00:00Z")
    call(pro, "2026-01-25T00:00:00Z", 700_000)
    call(pro, "2026-02-05T00:00:00Z", 500_000)
    pro.advance("2026-03-02T00:00:00Z")
    _, january, february = pro.invoices("chat")
    assert lines(january) == [
        ("usage", "GPT-5 tokens", "800000", "1.60"),
        ("usage", "Other tokens", "0", "0.00"),
        ("flat", "Base", None, "62.00"),
    ]
    assert lines(february) == [
        ("usage", "GPT-5 tokens", "500000", "2.00"),  # 500,000 × 0.000004
        ("usage", "Other tokens", "0", "0.00"),
        ("flat", "Base", None, "62.00"),
        # January again, by January's prices: 1,000,000 × 0.000002 + 500,000 × 0.000001 − 1.60
        ("adjustment", "GPT-5 tokens: late usage", "700000", "0.90"),
    ]


def test_a_customer_of_a_book_pays_in_its_currency(pro: Life) -> None:
    book = {"code": "eu", "name": "Europe", "region": "DE", "currency": "EUR"}
    pro.do("/price_books", book)
    pro.do(
        "/plans/pro/versions",
        {"currency": "EUR", "price_book": "eu", "prices": plan_prices("29", "0.000002")},
    )
    pro.do("/plans/pro/versions/2/publish", status=200)
    pro.do("/customers", {"external_id": "berlin", "name": "Berlin", "country": "DE", "currency": "EUR"})
    made = pro.do("/subscriptions", {"customer": "berlin", "plan": "pro"})
    assert made["plan_version"] == 2
    pro.advance("2026-01-02T01:00:00Z")
    [opening] = pro.invoices("berlin")
    assert (opening["currency"], opening["total"]) == ("EUR", "79.00")  # 50 + 29


def test_usage_that_no_price_takes_is_shown_until_a_price_does(life: Life) -> None:
    life.do("/meters", METER | {"code": "input_tokens", "value_property": "input_tokens"})
    only = plan_prices("31", "0.000002")[2:3]
    life.do("/plans", {"code": "pro", "name": "Pro", "prices": only})
    life.do("/plans/pro/versions/1/publish", status=200)
    life.do("/customers", {"external_id": "chat", "name": "Chat"})
    life.do("/subscriptions", {"customer": "chat", "plan": "pro", "started_at": "2026-01-01T00:00:00Z"})
    life.advance("2026-01-16T00:00:00Z")
    call(life, "2026-01-10T00:00:00Z", 5_000, model="llama")
    [row] = life.upcoming("chat")["unpriced"]
    assert (row["meter"], row["dimensions"], row["quantity"], row["event_count"]) == (
        "input_tokens", {"model": "llama", "region": ""}, "5000", 1,
    )  # fmt: skip
    life.do("/plans/pro/versions", {"prices": plan_prices("31", "0.000002")[2:]})
    life.do("/plans/pro/versions/2/publish", {"existing": "now"}, 200)
    call(life, "2026-01-16T00:00:00Z", 5_000, model="llama")
    upcoming = life.upcoming("chat")
    assert [row["quantity"] for row in upcoming["unpriced"]] == ["5000"], "the past keeps its prices"
    assert [line["quantity"] for line in upcoming["lines"] if line["price"] == "tokens"] == ["5000"]
