"""Rows as the product makes them, with defaults that make sense together. Call them inside a tenant's schema.

The default plan asks 2.50 USD per million input tokens and 10.00 USD per million output tokens.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from apps.catalog.models import Meter, PlanVersion
from apps.catalog.services import meters, plans, versions
from apps.catalog.services.plans import NewPrice
from apps.core import clock
from apps.customers.models import Customer
from apps.customers.services import customers
from apps.subscriptions.models import Subscription
from apps.subscriptions.services import subscribe
from apps.usage.services import ingest
from apps.usage.wire.verdict import Verdict

EVENT = "llm.call"


def make_customer(external_id: str = "chat", **fields: Any) -> Customer:
    return customers.create_customer(
        external_id=external_id, name=fields.pop("name", external_id.title()), **fields
    )


def make_meter(code: str = "input_tokens", **fields: Any) -> Meter:
    """A sum of the property that is named like the meter, over `llm.call`, unless told otherwise."""
    is_count = fields.get("aggregation") == Meter.Aggregation.COUNT
    wanted = {
        "name": code.replace("_", " ").capitalize(),
        "event_name": EVENT,
        "aggregation": Meter.Aggregation.SUM,
        "value_property": "" if is_count else code,
        "unit": "token",
    }
    return meters.create_meter(code=code, **wanted | fields)


def per_unit(meter: str, unit_amount: str, code: str = "") -> NewPrice:
    name = meter.replace("_", " ").capitalize()
    return NewPrice(
        code=code or meter, name=name, model="per_unit", meter=meter, unit_amount=Decimal(unit_amount)
    )


def flat(amount: str, code: str = "base", name: str = "Base fee") -> NewPrice:
    return NewPrice(code=code, name=name, model="flat", flat_amount=Decimal(amount))


def make_plan(
    code: str = "payg",
    prices: list[NewPrice] | None = None,
    *,
    currency: str = "USD",
    publish: bool = True,
) -> PlanVersion:
    """A plan with one version. Without `prices`: input and output tokens, whose meters are made when missing."""
    if prices is None:
        for meter in ("input_tokens", "output_tokens"):
            if not Meter.objects.filter(code=meter).exists():
                make_meter(meter)
        prices = [per_unit("input_tokens", "0.0000025"), per_unit("output_tokens", "0.00001")]
    version = plans.create_plan(code=code, name=code.title(), currency=currency, prices=prices)
    return versions.publish_version(version=version, now=clock.now()) if publish else version


def make_subscription(
    customer: Customer | None = None,
    plan_version: PlanVersion | None = None,
    *,
    started_at: datetime = datetime(2026, 1, 1, tzinfo=UTC),
    billing_anchor: str = Subscription.Anchor.CALENDAR,
) -> Subscription:
    return subscribe.subscribe(
        customer=customer or make_customer(),
        plan_version=plan_version or make_plan(),
        started_at=started_at,
        now=started_at,
        billing_anchor=billing_anchor,
    )


def an_event(event_id: str = "e1", **fields: Any) -> dict[str, Any]:
    """An event as a client sends it. `properties` replaces the defaults; None leaves a field out."""
    event = {
        "id": event_id,
        "event": EVENT,
        "customer": "chat",
        "timestamp": "2026-01-15T10:00:00Z",
        "properties": {"input_tokens": 1000, "output_tokens": 100, "model": "gpt-5"},
    }
    return {name: value for name, value in {**event, **fields}.items() if value is not None}


def report(*events: Any, now: datetime | None = None) -> list[Verdict]:
    """Ingest without HTTP."""
    return list(ingest.ingest(events=list(events), now=now or clock.now()))
