"""Whatever is sent to the price preview, the answer is a price or a reason."""

import json
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.previewed import URL
from tests.harness.clients import Api

KEYS = st.sampled_from(
    ["model", "tiers", "unit_amount", "flat_amount", "up_to", "rate", "convert", "divide_by", "rounding", "currency",
     "quantity", "amount", "commitment", "events_included", "first_tier_flat_at_zero", "package_size", "multiplier",
     "minimum_amount", "discount_percent", "overage_factor", "true_up", "\ud800", "a/b~c", ""]
)  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(min_value=-(10**60), max_value=10**60),
    st.sampled_from(["1", "0", "-1", "0.5", "1e5", "NaN", "USD", "EUR", "up", "graduated", "flat", "dynamic"]),
    st.sampled_from(["\x00", "\ud800"]),
    st.sampled_from(["per_unit", "package", "volume", "percentage", "graduated_percentage", "cost_plus"]),
    st.text(max_size=5),
    st.decimals(allow_nan=False, allow_infinity=False).map(lambda number: Number(str(number))),
)  # fmt: skip
JUNK = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)
PRICES = st.one_of(
    JUNK,
    st.builds(
        lambda model, more: {"model": model, **more},
        st.sampled_from(
            ["flat", "per_unit", "graduated", "volume", "package", "percentage", "dynamic", "cost_plus"]
        ),
        st.dictionaries(KEYS, JUNK, max_size=5),
    ),
)


class Number(str):
    """Written into JSON as a number, digit by digit."""


def written(value: Any) -> str:
    if isinstance(value, Number):
        return value.replace("E+", "e+").replace("E-", "e-")
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{written(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(written(inner) for inner in value) + "]"
    return json.dumps(value)


BODIES = st.fixed_dictionaries(
    {"currency": st.one_of(st.sampled_from(["USD", "JPY", "KWD"]), SCALARS), "price": PRICES},
    optional={
        "quantity": JUNK,
        "event_count": SCALARS,
        "events": st.one_of(JUNK, st.lists(st.dictionaries(KEYS, SCALARS, max_size=3), max_size=3)),
        "already_billed": JUNK,
        "quantities": JUNK,
        "plan": SCALARS,
        "version": SCALARS,
    },
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(BODIES)
def test_whatever_is_sent_the_answer_is_a_price_or_a_reason(acme_api: Api, body: dict[str, Any]) -> None:
    response = acme_api.post(URL, written(body).encode())
    found = response.json()
    if response.status_code == 200:
        assert Decimal(found["amount"]).is_finite()
    else:
        assert response.status_code in {400, 404}, (body, found)
        assert found["code"]
        assert found["detail"]
