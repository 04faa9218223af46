"""/subscriptions/…/preview: what a change of a subscription would do to its next invoices."""

from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.access.models import Scope
from apps.core import clock
from apps.core.money import money_text
from apps.invoices.api.serializers import UpcomingLine
from apps.invoices.api.views import upcoming_lines
from apps.invoices.models import Invoice
from apps.invoices.services.compute import ComputedInvoice
from apps.invoices.services.preview_change import Preview, preview
from apps.subscriptions.api.verbs import Verb, subscription_by_id
from apps.subscriptions.models import Subscription


class PreviewedInvoiceOutput(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(Invoice.Kind.choices)
    period_start = serializers.DateTimeField()
    period_end = serializers.DateTimeField(help_text="Exclusive.")
    total = serializers.CharField()
    lines = UpcomingLine(many=True)


class SubscriptionPreviewOutput(serializers.Serializer[Any]):
    """The invoices that follow: drafts, the opening while it is due, the open period with its usage until now."""

    subscription = serializers.CharField()
    currency = serializers.CharField()
    as_of = serializers.DateTimeField()
    difference = serializers.CharField(help_text="What the customer owes more, or less, on these invoices.")
    before = PreviewedInvoiceOutput(many=True)
    after = PreviewedInvoiceOutput(many=True)


def previewed(verb: Verb, request: Request, public_id: str, **place: str) -> Response:
    subscription, now = subscription_by_id(public_id), clock.now()
    arguments = verb.given(subscription, request.data, place)
    seen = preview(verb.service, subscription=subscription, now=now, **arguments)
    return Response(SubscriptionPreviewOutput(document(subscription, seen, now)).data)


def document(subscription: Subscription, seen: Preview, now: datetime) -> dict[str, Any]:
    currency = subscription.customer.currency
    return {
        "subscription": subscription.public_id,
        "currency": currency,
        "as_of": now,
        "difference": money_text(seen.difference, currency),
        "before": [invoice_document(one) for one in seen.before],
        "after": [invoice_document(one) for one in seen.after],
    }


def invoice_document(computed: ComputedInvoice) -> dict[str, Any]:
    return {
        "kind": computed.kind,
        "period_start": computed.period.start,
        "period_end": computed.period.end,
        "total": money_text(computed.total, computed.currency),
        "lines": upcoming_lines([computed]),
    }


def preview_view(verb: Verb) -> Any:
    """The view that shows what it would do. It changes nothing, and so needs no idempotency key."""

    class SubscriptionPreview(APIView):
        required_scope = Scope.INVOICES_READ

        @extend_schema(request=verb.body, responses=SubscriptionPreviewOutput, description=verb.shows)
        def post(self, request: Request, public_id: str, **place: str) -> Response:
            return previewed(verb, request, public_id, **place)

    return SubscriptionPreview.as_view()
