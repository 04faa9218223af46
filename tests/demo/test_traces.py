"""The shipped data are the published ones, to the last token."""

from datetime import UTC, datetime, timedelta

import pytest

from apps.demo.traces import CHAT, CODE, HOUR_START, Call, Trace


@pytest.mark.parametrize(
    ("trace", "calls", "input_tokens", "output_tokens"),
    [(CODE, 8_819, 18_059_974, 245_896), (CHAT, 19_366, 22_361_870, 4_088_665)],
    ids=["code", "chat"],
)
def test_counts_and_sums(trace: Trace, calls: int, input_tokens: int, output_tokens: int) -> None:
    found = list(trace.calls())
    assert len(found) == trace.count == calls
    assert sum(call.input_tokens for call in found) == input_tokens
    assert sum(call.output_tokens for call in found) == output_tokens


@pytest.mark.parametrize("trace", [CODE, CHAT], ids=["code", "chat"])
def test_calls_come_in_the_order_of_time_within_the_hour(trace: Trace) -> None:
    instants = [call.at for call in trace.calls()]
    assert instants == sorted(instants)
    assert instants[0] >= HOUR_START
    assert instants[-1] < HOUR_START + timedelta(hours=1)


def test_digits_beyond_microseconds_are_cut_off() -> None:
    """18:15:46.6805900 and 18:15:50.9951690."""
    calls = CHAT.calls()
    assert next(calls) == Call(datetime(2023, 11, 16, 18, 15, 46, 680590, UTC), 374, 44)
    assert next(calls) == Call(datetime(2023, 11, 16, 18, 15, 50, 995169, UTC), 396, 109)
