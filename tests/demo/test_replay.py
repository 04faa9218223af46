"""What arrives does not depend on how and how often it is sent."""

import threading
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from apps.core import clock
from apps.demo.api import Api, Endpoint
from apps.demo.placement import Window
from apps.demo.replays import Replay
from apps.demo.services.replay import Manner, ReplayError, is_complete, replay, usage_of_day
from apps.demo.tally import Tally
from apps.demo.traces import CHAT, CODE
from apps.invoices.models import Invoice
from apps.invoices.services.close_periods import close_due_periods
from apps.tenants.models import Tenant
from apps.usage.models import UsageEvent
from tests.harness import factories
from tests.harness.cast import KEYS
from tests.harness.server import WebServer

LAST_YEAR = clock.real_now().year - 1  # all of it is over
IN_ORDER = Manner()
CODE_USAGE = {
    "input_tokens": {"quantity": "18059974", "event_count": 8819},
    "output_tokens": {"quantity": "245896", "event_count": 8819},
}


@pytest.fixture
def endpoint(web: WebServer, in_acme: Tenant) -> Endpoint:
    """acme's API, where the code assistant has been on the default plan since January of last year."""
    code = factories.make_customer(CODE.customer)
    factories.make_subscription(code, started_at=datetime(LAST_YEAR, 1, 1, tzinfo=UTC))
    return Endpoint(web.url, KEYS["acme"])


def on(day: str, calls: int | None = None) -> Replay:
    """The code trace on a day of last year."""
    on_day = date.fromisoformat(f"{LAST_YEAR}-{day}")
    return Replay(CODE, CODE.customer, on_day, calls)


def verdicts(tally: Tally) -> dict[str, int]:
    return {verdict: count for verdict, count in tally.counts.items() if count}


def usage(endpoint: Endpoint, one: Replay) -> object:
    with endpoint.connect() as api:
        return usage_of_day(api, one)["meters"]


def test_every_manner_gives_the_same_invoice(endpoint: Endpoint) -> None:
    """Each month in another manner, and in the last one a killed run before the whole one."""
    shuffled = Manner(batch_size=7, clients=4, shuffle=1)
    for day, manner in (("01-31", IN_ORDER), ("02-28", shuffled)):
        assert verdicts(replay(endpoint=endpoint, replays=[on(day)], manner=manner)) == {"accepted": 8819}
    interrupt_after(2000, endpoint, on("03-31"), Manner(batch_size=100, clients=4, shuffle=2))
    tally = replay(endpoint=endpoint, replays=[on("03-31")], manner=Manner(clients=4))
    assert tally.counts["accepted"] + tally.counts["duplicates"] == 8819
    assert tally.counts["duplicates"] >= 2000

    for day in ("01-31", "02-28", "03-31"):
        assert usage(endpoint, on(day)) == CODE_USAGE
    again = replay(endpoint=endpoint, replays=[on("01-31")], manner=Manner(clients=2))
    assert verdicts(again) == {"duplicates": 8819}
    assert usage(endpoint, on("01-31")) == CODE_USAGE

    close_due_periods(clock.now())
    invoices = Invoice.objects.order_by("period_start")[:4]
    assert [invoice.total for invoice in invoices] == [Decimal("47.61")] * 3 + [0]
    for invoice in invoices[:3]:
        assert [line.amount for line in invoice.lines.all()] == [Decimal("45.15"), Decimal("2.46")]


def test_batches_of_one_by_four_clients_give_the_same_totals(endpoint: Endpoint) -> None:
    one_by_one, at_once = on("04-01", 400), on("04-02", 400)
    manner = Manner(batch_size=1, clients=4, shuffle=3)
    assert verdicts(replay(endpoint=endpoint, replays=[one_by_one], manner=manner)) == {"accepted": 400}
    assert verdicts(replay(endpoint=endpoint, replays=[at_once], manner=IN_ORDER)) == {"accepted": 400}
    assert usage(endpoint, one_by_one) == usage(endpoint, at_once)


def test_a_killed_server_costs_patience_and_nothing_else(endpoint: Endpoint, web: WebServer) -> None:
    whole = on("05-05", 3000)
    restarts: list[threading.Thread] = []

    def kill_once(tally: Tally) -> None:
        if not restarts and tally.sent > 1000:
            web.kill()
            restarts.append(threading.Thread(target=web.start))
            restarts[0].start()

    tally = replay(endpoint=endpoint, replays=[whole], manner=Manner(50, clients=2), listen=kill_once)
    restarts[0].join()
    assert tally.is_clean
    assert tally.sent == 3000
    assert verdicts(replay(endpoint=endpoint, replays=[whole], manner=IN_ORDER)) == {"duplicates": 3000}
    assert UsageEvent.objects.count() == 3000


def test_the_last_event_says_that_all_are_in(endpoint: Endpoint) -> None:
    shorts = {calls: on(f"06-0{calls}", calls) for calls in (1, 2, 3, 4)}
    with endpoint.connect() as api:
        for calls, short in shorts.items():
            assert not is_complete(api, short)
            tally = replay(endpoint=endpoint, replays=[short], manner=IN_ORDER)
            assert verdicts(tally) == {"accepted": calls}
            assert is_complete(api, short)
    assert UsageEvent.objects.count() == 1 + 2 + 3 + 4
    compressing = Endpoint(endpoint.base_url, endpoint.key, compress=True)
    assert verdicts(replay(endpoint=compressing, replays=[shorts[4]], manner=IN_ORDER)) == {"duplicates": 4}


def test_somebody_elses_events_are_neither_followed_nor_passed_over(endpoint: Endpoint) -> None:
    one, other = on("06-05", 10), on("06-06", 10)
    factories.report(
        factories.an_event(one.event_id(5), customer=CODE.customer),
        factories.an_event(other.first_id, customer=CODE.customer),
    )
    tally = replay(endpoint=endpoint, replays=[one], manner=IN_ORDER)
    assert verdicts(tally) == {"accepted": 8, "conflicts": 1}
    assert [refusal["id"] for refusal in tally.refusals] == [one.event_id(5)]
    with endpoint.connect() as api:
        assert not is_complete(api, one), "the last event is held back"
    with pytest.raises(ReplayError, match="does not come from a replay"):
        replay(endpoint=endpoint, replays=[other], manner=IN_ORDER)


def test_the_placement_stays_when_the_clock_moves_on(web: WebServer, in_sandbox: Tenant) -> None:
    """In the sandbox it is half past midnight, so the hour is compressed; at noon it is still where it was."""
    factories.make_plan()
    factories.make_customer(CHAT.customer)
    endpoint = Endpoint(web.url, KEYS["sandbox"])
    chat = Replay(CHAT, CHAT.customer, date(2026, 1, 1), 500)
    with endpoint.connect() as api:
        advance(api, "2026-01-01T00:30:00Z")
        assert verdicts(replay(endpoint=endpoint, replays=[chat], manner=IN_ORDER)) == {"accepted": 500}
        window = Window.parse(UsageEvent.objects.get(event_id=chat.first_id).properties["replay_window"])
        midnight = datetime(2026, 1, 1, tzinfo=UTC)
        assert window == Window(midnight, midnight.replace(minute=30))
        advance(api, "2026-01-01T12:00:00Z")
    again = replay(endpoint=endpoint, replays=[chat], manner=Manner(clients=4, shuffle=5, batch_size=20))
    assert verdicts(again) == {"duplicates": 500}


def advance(api: Api, to: str) -> None:
    api.request("POST", "/test_clock/advance", b'{"to": "%s"}' % to.encode())


def interrupt_after(count: int, endpoint: Endpoint, one: Replay, manner: Manner) -> None:
    def interrupt(tally: Tally) -> None:
        if tally.sent >= count:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replay(endpoint=endpoint, replays=[one], manner=manner, listen=interrupt)
