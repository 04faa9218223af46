"""/late_usage: what came after the last invoice of a subscription, and /subscriptions/{id}/bill_late_usage"""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.access.models import Scope
from apps.core import clock
from apps.core.api.idempotency import idempotent
from apps.core.money import money_text
from apps.core.snapshots import one_snapshot
from apps.invoices.api.actions import InvoiceReleaseInput, given
from apps.invoices.api.serializers import InvoiceWithLines, UpcomingLine
from apps.invoices.api.views import line_document, with_lines
from apps.invoices.services.bill_late_after_end import bill_late_after_end
from apps.invoices.services.late_after_end import LateAfterEnd, late_after_end
from apps.invoices.teams import Sharers, sharers_of
from apps.subscriptions.api.verbs import subscription_by_id


class LateUsageOutput(serializers.Serializer[Any]):
    """Usage that came after the last invoice of a subscription: it is billed only when somebody says so."""

    subscription = serializers.CharField()
    customer = serializers.CharField()
    customer_external_id = serializers.CharField()
    plan = serializers.CharField()
    ended_at = serializers.DateTimeField()
    currency = serializers.CharField()
    amount = serializers.CharField(help_text="What the customer would owe more, or less.")
    event_count = serializers.IntegerField()
    lines = UpcomingLine(many=True)


class LateUsagePage(serializers.Serializer[Any]):
    # A field, not DRF's attribute of the same name.
    data = LateUsageOutput(many=True)  # type: ignore[assignment]
    next_cursor = serializers.CharField(allow_null=True, help_text="Always null: there is one page.")


class LateUsage(APIView):
    required_scope = Scope.INVOICES_READ

    @extend_schema(responses=LateUsagePage)
    def get(self, request: Request) -> Response:
        """Late usage of subscriptions that have ended, priced as an adjustment would be.

        Of the 200 that ended last, within 400 days; the latest end first.
        """
        with one_snapshot():
            found = late_after_end(now=clock.now())
            sharers = sharers_of(line for one in found for line in one.lines)
        documents = [late_document(one, sharers) for one in found]
        return Response(LateUsagePage({"data": documents, "next_cursor": None}).data)


class SubscriptionBillLateUsage(APIView):
    required_scope = Scope.INVOICES_WRITE

    @extend_schema(request=InvoiceReleaseInput, responses={201: InvoiceWithLines})
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        """Draft an invoice of its late usage after the end. Like any draft it is finalized after its grace period."""
        subscription, body = subscription_by_id(public_id), given(request, InvoiceReleaseInput)
        draft = bill_late_after_end(
            subscription=subscription, reason=body["reason"], total=body["total"], now=clock.now()
        )
        return Response(with_lines(draft), status=201)


def late_document(one: LateAfterEnd, sharers: Sharers) -> dict[str, Any]:
    subscription = one.subscription
    currency = subscription.plan_version.currency
    return {
        "subscription": subscription.public_id,
        "customer": subscription.customer.public_id,
        "customer_external_id": subscription.customer.external_id,
        "plan": subscription.plan_version.plan.code,
        "ended_at": subscription.ends_at,
        "currency": currency,
        "amount": money_text(one.amount, currency),
        "event_count": one.event_count,
        "lines": [line_document(line, subscription, currency, sharers) for line in one.lines],
    }
