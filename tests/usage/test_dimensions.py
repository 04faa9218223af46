"""Dimension values as ingestion stores them."""

from datetime import UTC, datetime

from apps.core import clock
from apps.tenants.models import Tenant
from apps.usage.models import DimensionSet
from apps.usage.selectors import quantities
from apps.usage.services.ingest import ingest
from tests.harness.factories import an_event, make_customer, make_meter

MONTH = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))


def test_meters_may_name_the_same_dimensions_in_another_order(in_acme: Tenant) -> None:
    customer = make_customer()
    one = make_meter("input_tokens", dimensions=["model", "region"])
    other = make_meter("output_tokens", dimensions=["region", "model"])
    properties = {"input_tokens": 7, "output_tokens": 3, "model": "gpt-5", "region": "eu"}
    verdicts = ingest(events=[an_event(properties=properties)], now=clock.now())
    assert [verdict.status for verdict in verdicts] == ["accepted"]
    assert DimensionSet.objects.count() == 1, "the order of the names makes no other set"
    found = quantities(customer_id=customer.pk, meter_ids=[one.pk, other.pk], start=MONTH[0], end=MONTH[1])
    assert (found[one.pk].quantity, found[other.pk].quantity) == (7, 3)
