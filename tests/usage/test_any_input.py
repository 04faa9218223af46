"""Whatever is sent, ingestion answers: never a 500, never a wrong total, and each event has exactly one verdict."""

import json
import os
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from apps.customers.models import Customer
from apps.usage.models import QuarantinedEvent, UsageEvent
from tests.harness.clients import Api
from tests.harness.evidence import rolled_back
from tests.usage.totals import assert_rollups_equal_events

EXAMPLES = 3_000 if os.environ.get("HYPOTHESIS_PROFILE") == "soak" else 200
ANY = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

text = st.text(st.characters(exclude_categories=()), max_size=12)  # surrogates and NUL included
numbers = st.one_of(
    st.integers(), st.integers(-(10**25), 10**25), st.floats(allow_nan=False, allow_infinity=False)
)
scalars = st.one_of(st.none(), st.booleans(), numbers, text)
junk = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)
instants = st.integers(-(10**9), 2 * 10**9).map(
    lambda second: datetime.fromtimestamp(second, UTC).isoformat()
)
# Numbers as nobody would write them: any number of digits, of zeros after the point, any exponent.
LENGTHS = st.one_of(
    st.integers(0, 40),
    st.sampled_from([99, 100, 101, 131, 999, 1_001, 4_299, 4_301, 16_383, 20_000, 140_000]),
)
odd_numbers = st.builds(
    lambda sign, digit, length, decimals, last, exponent: (
        f"{sign}{digit * (length + 1) if digit != '0' else '0'}"
        f"{'.' + '0' * decimals + last if decimals else ''}{exponent}"
    ),
    st.sampled_from(["", "", "-"]),
    st.sampled_from("019"),
    LENGTHS,
    LENGTHS,
    st.sampled_from("01"),
    st.one_of(
        st.just(""), st.integers(-(10**5), 10**5).map("e{}".format), st.just("E+999999999999999999999")
    ),
)
# As text, and bare: `as_body` takes the frame away, for `json.dumps` would not write them.
FRAME = "#bare#"
odd_quantities = st.one_of(odd_numbers, odd_numbers.map(lambda text: f"{FRAME}{text}{FRAME}"))
quantities = st.one_of(
    st.integers(0, 10**6), st.decimals(0, 1000, places=3).map(str), scalars, odd_quantities
)
MANY_ZEROS = "0." + "0" * 20_000
likely_events = st.fixed_dictionaries(
    {
        "id": st.one_of(st.sampled_from(["a", "b", "c"]), text, junk),
        "event": st.one_of(st.just("llm.call"), text, scalars),
        "customer": st.one_of(st.just("chat"), text, scalars),
    },
    optional={
        "timestamp": st.one_of(instants, text, junk),
        "source": st.one_of(text, scalars),
        "properties": st.one_of(
            st.fixed_dictionaries(
                {},
                optional={
                    "input_tokens": quantities,
                    "output_tokens": quantities,
                    "model": st.one_of(junk, odd_quantities),
                    "unmetered": odd_quantities,
                },
            ),
            junk,
        ),
        "more": junk,
    },
)


# What the other endpoints ask for, at least.
GOOD: dict[str, Any] = {
    "external_id": "x", "name": "X", "code": "x", "event_name": "x", "aggregation": "count", "currency": "USD",
    "customer": "chat", "plan": "payg", "prices": [{"code": "b", "name": "B", "model": "flat", "flat_amount": "1"}],
}  # fmt: skip


def as_body(events: list[Any]) -> bytes:
    return re.sub(f'"{FRAME}([^"#]*){FRAME}"', r"\1", json.dumps({"events": events})).encode()


def with_tokens(value: str) -> dict[str, Any]:
    return {"id": value[-20:], "event": "llm.call", "customer": "chat", "properties": {"input_tokens": value}}


@ANY
@given(events=st.lists(st.one_of(likely_events, likely_events, junk), min_size=1, max_size=12))
@example(events=[{"id": "a", "event": "llm.call", "customer": "chat", "properties": {"input_tokens": 1}}] * 3)
@example(events=[with_tokens("1"), with_tokens(MANY_ZEROS), with_tokens(f"{FRAME}{MANY_ZEROS}{FRAME}")])
@example(events=[with_tokens("0e-999"), with_tokens("0e999"), with_tokens("9" * 20_000)])
@example(events=[{"\ud800": 1}, {"id": "\ud800"}, {"id": "a", "event": "\x00", "customer": "chat"}])
def test_every_event_gets_one_verdict(chat: Customer, acme_api: Api, events: list[Any]) -> None:
    body = as_body(events)
    with rolled_back():
        response = acme_api.post("/events?results=all", body)
        assert response.status_code == 200
        answer = json.loads(response.content)
        assert [one["index"] for one in answer["results"]] == list(range(len(events)))
        counted = [
            answer[name] for name in ("accepted", "duplicates", "conflicts", "quarantined", "rejected")
        ]
        assert sum(counted) == len(events)
        assert UsageEvent.objects.count() == answer["accepted"]
        assert QuarantinedEvent.objects.count() <= answer["quarantined"]
        assert_rollups_equal_events()
        again = json.loads(acme_api.post("/events?results=all", body).content)
        assert again["accepted"] == 0
        assert UsageEvent.objects.count() == answer["accepted"]
        assert_rollups_equal_events()


@ANY
@given(body=st.one_of(st.binary(max_size=60), junk.map(lambda value: json.dumps(value).encode())))
@example(body=b'{"events":[' + b"[" * 3000)
@example(body=b'{"events": [{"id": "a", "id": "b"}]}')
@example(body=b"\xef\xbb\xbf{}")
def test_any_body_gets_an_answer(chat: Customer, acme_api: Api, body: bytes) -> None:
    with rolled_back():
        response = acme_api.post("/events", body)
        assert response.status_code in (200, 400, 413)
        if response.status_code == 200:
            assert "events" in json.loads(body)
        else:
            assert response["Content-Type"] == "application/problem+json"


@ANY
@given(body=st.binary(max_size=60))
def test_any_compressed_body_gets_an_answer(chat: Customer, acme_api: Api, body: bytes) -> None:
    response = acme_api.post("/events", b"\x1f\x8b\x08" + body, content_encoding="gzip")
    assert response.status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        "/customers",
        "/meters",
        "/plans",
        "/plans/payg/versions",
        "/subscriptions",
        "/plans/payg/versions/1/publish",
        "/invoices/x/finalize",
        "/test_clock/advance",
    ],
)
def test_no_other_post_breaks_on_junk_either(
    chat: Customer, acme_api: Api, sandbox_api: Api, path: str
) -> None:
    fields = sorted(
        {
            *GOOD,
            *[
                "email",
                "time_zone",
                "country",
                "metadata",
                "value_property",
                "dimensions",
                "unit",
                "description",
            ],
        }
    )
    fields += ["version", "started_at", "billing_anchor", "to"]

    @settings(max_examples=40, deadline=None)
    @given(
        body=st.one_of(
            junk,
            st.dictionaries(st.sampled_from(fields), junk, max_size=4).map(lambda given: {**GOOD, **given}),
            st.dictionaries(st.sampled_from(fields), junk, max_size=4),
        ),
        key=st.sampled_from([None, "a"]),
    )
    def answers(body: Any, key: str | None) -> None:
        with rolled_back():
            headers = {"idempotency_key": key} if key else {}
            for api in (acme_api, sandbox_api):
                response = api.post(path, json.dumps(body).encode(), **headers)
                assert response.status_code < 500

    answers()
