"""From the first event to finalized invoices, through the API alone."""

from decimal import Decimal

from apps.tenants.models import Tenant
from tests.harness.clients import Api
from tests.harness.evidence import nothing_changes_in
from tests.scenarios.life import Life, lines


def test_a_month_of_two_customers_to_the_cent(life: Life) -> None:
    life.sell_tokens()
    for name in ("code-assistant", "chat-assistant"):
        life.sign_up(name, "2026-01-01T00:00:00Z")
    life.advance("2026-01-20T00:00:00Z")
    life.use("code-assistant", "2026-01-15T10:00:00Z", 18_059_974, 245_896)
    life.use("chat-assistant", "2026-01-15T10:00:00Z", 22_361_870, 4_088_665)
    life.advance("2026-02-03T00:00:00Z")
    [code], [chat] = life.invoices("code-assistant"), life.invoices("chat-assistant")
    assert lines(code) == [
        ("usage", "Input tokens", "18059974", "45.15"),
        ("usage", "Output tokens", "245896", "2.46"),
    ]
    assert lines(chat) == [
        ("usage", "Input tokens", "22361870", "55.90"),
        ("usage", "Output tokens", "4088665", "40.89"),
    ]
    assert (code["total"], chat["total"]) == ("47.61", "96.79")
    assert (code["number"], chat["number"]) == ("SANDBOX-2026-000001", "SANDBOX-2026-000002")
    assert [line["unrounded_amount"] for line in code["lines"]] == ["45.149935", "2.45896"]
    assert code["period_start"] == "2026-01-01T00:00:00Z"
    assert code["period_end"] == "2026-02-01T00:00:00Z"
    assert (code["finalized_at"], code["due_on"]) == ("2026-02-02T00:00:00Z", "2026-02-16")


def test_three_months_of_pause_are_billed_once_each_and_oldest_first(life: Life) -> None:
    life.sell_tokens(base_fee="31")
    life.sign_up("chat", "2026-01-11T00:00:00Z")
    life.sign_up("code", "2026-01-31T09:00:00Z", anchor="anniversary", time_zone="Australia/Lord_Howe")
    jobs = life.advance("2026-04-20T00:00:00Z")
    assert jobs == {"close_periods": 5, "finalize_invoices": 5, "make_partitions": 5}
    assert life.bills("chat") == [
        ("2026-01-11", "open", "SANDBOX-2026-000001", "21.00"),
        ("2026-02-01", "open", "SANDBOX-2026-000003", "31.00"),
        ("2026-03-01", "open", "SANDBOX-2026-000005", "31.00"),
    ]
    assert life.bills("code") == [
        ("2026-01-31", "open", "SANDBOX-2026-000002", "31.00"),
        ("2026-02-28", "open", "SANDBOX-2026-000004", "31.00"),
    ]
    finalized = sorted(
        (one["number"], one["finalized_at"]) for name in ("chat", "code") for one in life.invoices(name)
    )
    assert [at for _, at in finalized] == sorted(at for _, at in finalized)


def test_advancing_again_to_the_same_instant_changes_nothing(life: Life) -> None:
    life.sell_tokens(base_fee="31")
    life.sign_up("chat", "2026-01-11T00:00:00Z")
    life.advance("2026-04-20T00:00:00Z")
    with nothing_changes_in("sandbox", "public"):
        assert life.advance("2026-04-20T00:00:00Z") == {}


def test_many_small_steps_arrive_where_one_long_one_does(life: Life, sandbox: Tenant) -> None:
    life.sell_tokens(base_fee="31")
    life.sign_up("chat", "2026-01-11T00:00:00Z")
    for month in (1, 2, 3, 4):
        for day in (12, 13, 28):
            life.advance(f"2026-{month:02}-{day}T07:00:00Z")
    assert life.bills("chat") == [
        ("2026-01-11", "open", "SANDBOX-2026-000001", "21.00"),
        ("2026-02-01", "open", "SANDBOX-2026-000002", "31.00"),
        ("2026-03-01", "open", "SANDBOX-2026-000003", "31.00"),
    ]


def test_a_late_event_becomes_an_adjustment_on_the_next_invoice(life: Life) -> None:
    life.sell_tokens()
    life.sign_up("chat", "2026-01-01T00:00:00Z")
    life.advance("2026-01-20T00:00:00Z")
    life.use("chat", "2026-01-15T10:00:00Z", 1_000_000)
    life.advance("2026-02-10T00:00:00Z")
    january = life.invoices("chat")
    life.use("chat", "2026-01-16T10:00:00Z", 400_000, 50_000)
    life.use("chat", "2026-02-05T10:00:00Z", 2_000_000)
    assert life.invoices("chat") == january
    life.advance("2026-03-10T00:00:00Z")
    first, second = life.invoices("chat")
    assert [first] == january
    assert lines(first) == [
        ("usage", "Input tokens", "1000000", "2.50"),
        ("usage", "Output tokens", "0", "0.00"),
    ]
    assert lines(second) == [
        ("usage", "Input tokens", "2000000", "5.00"),
        ("usage", "Output tokens", "0", "0.00"),
        ("adjustment", "Input tokens: late usage", "400000", "1.00"),
        ("adjustment", "Output tokens: late usage", "50000", "0.50"),
    ]
    assert [line["period_start"] for line in second["lines"][2:]] == ["2026-01-01T00:00:00Z"] * 2
    assert [line["event_count"] for line in second["lines"]] == [1, 1, 1, 1]
    assert (first["total"], second["total"]) == ("2.50", "6.50")


def test_a_late_event_is_billed_once_and_never_again(life: Life) -> None:
    life.sell_tokens()
    life.sign_up("chat", "2026-01-01T00:00:00Z")
    life.advance("2026-02-10T00:00:00Z")
    life.use("chat", "2026-01-16T10:00:00Z", 400_000)
    life.advance("2026-03-10T00:00:00Z")
    life.use("chat", "2026-01-17T10:00:00Z", 200_000)
    life.use("chat", "2026-02-17T10:00:00Z", 100_000)
    life.advance("2026-05-10T00:00:00Z")
    assert [total for _, _, _, total in life.bills("chat")] == ["0.00", "1.00", "0.75", "0.00"]
    adjusted = [lines(one)[2:] for one in life.invoices("chat")]
    assert adjusted == [
        [],
        [("adjustment", "Input tokens: late usage", "400000", "1.00")],
        [
            ("adjustment", "Input tokens: late usage", "200000", "0.50"),
            ("adjustment", "Input tokens: late usage", "100000", "0.25"),
        ],
        [],
    ]


def test_late_usage_is_rounded_with_what_was_billed_before(life: Life) -> None:
    """Three times 0.4 cents, one of them in time: 1.2 cents are one cent, not three times nothing."""
    life.sell_tokens()
    life.sign_up("chat", "2026-01-01T00:00:00Z")
    life.advance("2026-01-20T00:00:00Z")
    life.use("chat", "2026-01-15T10:00:00Z", 1_600)
    life.advance("2026-02-10T00:00:00Z")
    life.use("chat", "2026-01-15T11:00:00Z", 1_600)
    life.advance("2026-03-10T00:00:00Z")
    life.use("chat", "2026-01-15T12:00:00Z", 1_600)
    life.advance("2026-04-10T00:00:00Z")
    totals = [Decimal(total) for _, _, _, total in life.bills("chat")]
    assert totals == [Decimal("0.00"), Decimal("0.01"), Decimal("0.00")]


def test_events_in_the_grace_period_join_the_draft(life: Life) -> None:
    life.sell_tokens()
    life.sign_up("chat", "2026-01-01T00:00:00Z")
    life.advance("2026-02-01T12:00:00Z")
    assert life.bills("chat") == [("2026-01-01", "draft", "", "0.00")]
    life.use("chat", "2026-01-31T23:59:59.999999Z", 400_000)
    life.use("chat", "2026-02-01T00:00:00Z", 800_000)
    life.advance("2026-02-02T00:00:00Z")
    assert life.bills("chat") == [("2026-01-01", "open", "SANDBOX-2026-000001", "1.00")]
    life.advance("2026-03-10T00:00:00Z")
    assert [lines(one) for one in life.invoices("chat")[1:]] == [
        [("usage", "Input tokens", "800000", "2.00"), ("usage", "Output tokens", "0", "0.00")]
    ]


def test_the_preview_is_the_invoice(life: Life) -> None:
    life.sell_tokens(base_fee="31")
    life.sign_up("chat", "2026-01-11T00:00:00Z", time_zone="Europe/Berlin")
    life.advance("2026-02-10T00:00:00Z")
    life.use("chat", "2026-01-15T10:00:00Z", 123_457, 11)
    life.use("chat", "2026-02-05T10:00:00Z", 7_654_321, 98_765)
    life.advance("2026-02-28T22:59:59Z")
    preview = life.upcoming("chat")
    life.advance("2026-03-05T00:00:00Z")
    invoice = life.invoices("chat")[-1]
    assert preview["total"] == invoice["total"]
    assert len(preview["lines"]) == len(invoice["lines"]) == 5
    for seen, billed in zip(preview["lines"], invoice["lines"], strict=True):
        assert {name: seen[name] for name in seen if name in billed} == {
            name: billed[name] for name in billed if name in seen
        }
    assert Decimal(invoice["total"]) == sum(Decimal(line["amount"]) for line in invoice["lines"])


def test_the_steps_of_every_line_add_up_to_it(life: Life) -> None:
    life.sell_tokens(base_fee="31")
    life.sign_up("chat", "2026-01-11T00:00:00Z")
    life.advance("2026-02-10T00:00:00Z")
    life.use("chat", "2026-01-15T10:00:00Z", 123_457, 11)
    life.advance("2026-03-10T00:00:00Z")
    for invoice in life.invoices("chat"):
        for line in invoice["lines"]:
            assert line["steps"]
            assert Decimal(line["unrounded_amount"]) == sum(
                Decimal(step["amount"]) for step in line["steps"] if "amount" in step
            )


def test_a_new_price_never_reprices_the_past_nor_those_who_are_subscribed(life: Life) -> None:
    life.sell_tokens()
    life.sign_up("chat", "2026-01-01T00:00:00Z")
    life.advance("2026-01-20T00:00:00Z")
    life.use("chat", "2026-01-15T10:00:00Z", 1_000_000)
    dearer = {
        "code": "input",
        "name": "Input",
        "model": "per_unit",
        "meter": "input_tokens",
        "unit_amount": "1",
    }
    life.do("/plans/payg/versions", {"prices": [dearer]})
    life.do("/plans/payg/versions/2/publish", status=200)
    life.sign_up("code", "2026-01-20T00:00:00Z")
    life.use("code", "2026-01-20T00:00:00Z", 2)
    life.advance("2026-02-10T00:00:00Z")
    assert (life.bills("chat")[0][3], life.bills("code")[0][3]) == ("2.50", "2.00")


def test_usage_is_live(life: Life) -> None:
    life.sell_tokens()
    life.sign_up("chat", "2026-01-01T00:00:00Z", time_zone="Asia/Kathmandu")
    life.advance("2026-01-20T00:00:00Z")
    life.use("chat", "2025-12-31T18:14:59Z", 1)
    life.use("chat", "2025-12-31T18:15:00Z", 10)
    life.use("chat", "2026-01-19T10:00:00Z", 100)
    usage = life.see("/customers/chat/usage")
    assert (usage["period_start"], usage["period_end"]) == ("2025-12-31T18:15:00Z", "2026-01-31T18:15:00Z")
    assert [(one["meter"], one["quantity"], one["event_count"]) for one in usage["meters"]] == [
        ("input_tokens", "110", 2),
        ("output_tokens", "0", 2),
    ]
    asked = life.see(
        "/customers/chat/usage?start=2026-01-19T09:59:59.999999Z&end=2026-01-19T10:00:00.000001Z"
    )
    assert [one["quantity"] for one in asked["meters"]] == ["100", "0"]
    # The subscription starts at the beginning of January in UTC, after the ten tokens of the local month.
    assert life.upcoming("chat")["total"] == "0.00"
    assert life.upcoming("chat")["lines"][0]["quantity"] == "100"


def test_the_clock_moves_only_forward(life: Life, sandbox_api: Api, acme_api: Api) -> None:
    life.advance("2026-01-02T00:00:00Z")
    response = sandbox_api.post("/test_clock/advance", {"to": "2026-01-01T23:59:59Z"})
    assert (response.status_code, response.json()["code"]) == (400, "clock_backwards")
    response = acme_api.post("/test_clock/advance", {"to": "2100-01-01T00:00:00Z"})
    assert (response.status_code, response.json()["code"]) == (403, "missing_scope")


def test_the_clock_of_a_sandbox_stands_still(life: Life) -> None:
    life.sell_tokens()
    life.sign_up("chat", "2026-01-01T00:00:00Z")
    assert life.upcoming("chat")["as_of"] == "2026-01-01T00:00:00Z"
    assert life.upcoming("chat")["as_of"] == "2026-01-01T00:00:00Z"
    future = {"id": "f", "event": "llm.call", "customer": "chat", "timestamp": "2026-01-01T00:05:01Z"}
    assert life.api.report(future)["results"][0]["code"] == "timestamp_in_future"


def test_the_preview_leaves_late_usage_to_the_draft_that_will_take_it(life: Life) -> None:
    life.sell_tokens()
    life.sign_up("chat", "2026-01-01T00:00:00Z")
    life.advance("2026-03-01T12:00:00Z")  # January is issued, February is a draft in its grace period
    life.use("chat", "2026-01-17T10:00:00Z", 1_000_000)
    assert life.see("/customers/chat/invoices/upcoming")["total"] == "0.00"
    life.advance("2026-03-03T00:00:00Z")
    assert [total for _, _, _, total in life.bills("chat")] == ["0.00", "2.50"]
    assert life.see("/customers/chat/invoices/upcoming")["total"] == "0.00"


def test_usage_of_long_ago_is_billed_too(life: Life) -> None:
    life.sell_tokens()
    life.sign_up("chat", "2024-06-01T00:00:00Z")  # the sandbox's clock begins in 2026
    life.advance("2026-01-03T00:00:00Z")
    life.use("chat", "2024-06-17T10:00:00Z", 1_000_000)
    life.advance("2026-02-03T00:00:00Z")
    assert [total for _, _, _, total in life.bills("chat")] == ["0.00"] * 19 + ["2.50"]
