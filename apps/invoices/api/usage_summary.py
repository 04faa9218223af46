"""A customer's current periods: what was used, what is due so far, and where it is heading"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.access.models import Scope
from apps.catalog.models import Meter
from apps.core import clock
from apps.core.api.fields import PlainDecimalField
from apps.core.money import money_text
from apps.core.snapshots import one_snapshot
from apps.customers.models import Customer
from apps.customers.selectors import customer_by_reference
from apps.invoices.services.bill_thresholds import Unbilled, unbilled_of
from apps.invoices.services.compute import ComputedInvoice
from apps.invoices.services.project import Pace, projected_amount, projected_quantity
from apps.invoices.services.upcoming import upcoming_invoices
from apps.invoices.teams import Families, families_of
from apps.rating import exact_sum
from apps.usage.selectors import ZERO, Quantity, totals_of


class MeterSummary(serializers.Serializer[Any]):
    meter = serializers.CharField()
    name = serializers.CharField()
    unit = serializers.CharField()
    quantity = PlainDecimalField(help_text="So far.")
    event_count = serializers.IntegerField()
    projected_quantity = PlainDecimalField(allow_null=True, help_text="At the end of the period.")


class SubscriptionSummary(serializers.Serializer[Any]):
    subscription = serializers.CharField()
    plan = serializers.CharField()
    plan_version = serializers.IntegerField()
    period_start = serializers.DateTimeField()
    period_end = serializers.DateTimeField(help_text="Exclusive.")
    amount_due = serializers.CharField(help_text="What the invoice would be if it were made now.")
    projected_amount = serializers.CharField(allow_null=True)
    billing_threshold = serializers.CharField(
        allow_null=True, help_text="Usage is billed as soon as so much of it is unbilled; null: at the end."
    )
    unbilled_amount = serializers.CharField(
        allow_null=True, help_text="Of the usage of the period, so far; null without a threshold."
    )
    meters = MeterSummary(many=True)


class UsageSummaryOutput(serializers.Serializer[Any]):
    customer = serializers.CharField()
    currency = serializers.CharField()
    as_of = serializers.DateTimeField()
    amount_due = serializers.CharField()
    projected_amount = serializers.CharField(allow_null=True)
    subscriptions = SubscriptionSummary(many=True)


class UsageSummary(APIView):
    """The current billing period of each subscription: quantities and amount due so far, and a projection.

    The projection is linear. Sums, counts and time-weighted sums, and the amounts of their lines, go on in
    proportion to time; maxima, minima, latest and different values, fees and late usage stay as they are. Tiers that
    would be reached later are not foreseen. It is null when nothing of a period has passed.
    """

    required_scope = Scope.USAGE_READ

    @extend_schema(responses=UsageSummaryOutput)
    def get(self, request: Request, customer: str) -> Response:
        return Response(UsageSummaryOutput(summary(customer_by_reference(customer), clock.now())).data)


def summary(customer: Customer, now: datetime) -> dict[str, Any]:
    with one_snapshot():
        families = families_of([customer.pk])
        parts = [
            (computed, quantities_of(computed, families, now))
            for computed in upcoming_invoices(customer=customer, as_of=now)
        ]
        unbilled = unbilled_of([computed.subscription for computed, _ in parts], now)
    currency = parts[0][0].currency if parts else customer.currency
    projected = [projected_amount(Pace.of(computed.period, now), computed) for computed, _ in parts]
    return {
        "customer": customer.public_id,
        "currency": currency,
        "as_of": now,
        "amount_due": money_text(exact_sum(computed.total for computed, _ in parts), currency),
        "projected_amount": amount_text(
            None if None in projected else exact_sum(one for one in projected if one is not None), currency
        ),
        "subscriptions": [
            document(computed, used, amount, unbilled.get(computed.subscription.pk), now)
            for (computed, used), amount in zip(parts, projected, strict=True)
        ],
    }


def quantities_of(
    computed: ComputedInvoice, families: Families, now: datetime
) -> list[tuple[Meter, Quantity]]:
    """Of the meters that its lines of this period price, by code; with what is used by teams it pays for."""
    meters = {line.meter.pk: line.meter for line in computed.lines if line.meter}
    span = families.span_of(computed.subscription.customer_id, computed.period)
    [found] = totals_of([span], {pk: meter.aggregation for pk, meter in meters.items()}, as_of=now)
    by_meter = {meter_id: one for (meter_id, _), one in found.items()}
    used = [(meter, by_meter.get(pk, ZERO)) for pk, meter in meters.items()]
    return sorted(used, key=lambda pair: pair[0].code)


def document(
    computed: ComputedInvoice,
    used: list[tuple[Meter, Quantity]],
    projected: Decimal | None,
    unbilled: Unbilled | None,
    now: datetime,
) -> dict[str, Any]:
    pace = Pace.of(computed.period, now)
    version = computed.subscription.plan_version
    return {
        "subscription": computed.subscription.public_id,
        "plan": version.plan.code,
        "plan_version": version.number,
        "period_start": computed.period.start,
        "period_end": computed.period.end,
        "amount_due": money_text(computed.total, computed.currency),
        "projected_amount": amount_text(projected, computed.currency),
        "billing_threshold": amount_text(unbilled.threshold if unbilled else None, computed.currency),
        "unbilled_amount": amount_text(unbilled.amount if unbilled else None, computed.currency),
        "meters": [
            {
                "meter": meter.code,
                "name": meter.name,
                "unit": meter.unit,
                "quantity": one.quantity,
                "event_count": one.event_count,
                "projected_quantity": projected_quantity(pace, meter.aggregation, one.quantity),
            }
            for meter, one in used
        ],
    }


def amount_text(amount: Decimal | None, currency: str) -> str | None:
    return None if amount is None else money_text(amount, currency)
