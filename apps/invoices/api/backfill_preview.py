"""/backfills/…/preview: what closing a backfill would change, invoices included."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.access.models import Scope
from apps.core import clock
from apps.core.api.fields import PlainDecimalField
from apps.core.money import money_text
from apps.invoices.services.backfill_preview import Preview, preview_backfill
from apps.usage.api.correction_serializers import OUTCOMES, OutcomeOutput
from apps.usage.services.corrections.backfills import backfill_by_id


class UsageEffectOutput(serializers.Serializer[Any]):
    customer = serializers.CharField()
    meter = serializers.CharField()
    before = PlainDecimalField()
    after = PlainDecimalField()


class InvoiceEffectOutput(serializers.Serializer[Any]):
    customer = serializers.CharField()
    subscription = serializers.CharField()
    invoice = serializers.CharField(allow_null=True, help_text="The draft; null for the open period.")
    period_start = serializers.DateTimeField()
    period_end = serializers.DateTimeField(help_text="Exclusive.")
    currency = serializers.CharField()
    before = serializers.CharField()
    after = serializers.CharField()


class BackfillPreviewOutput(serializers.Serializer[Any]):
    outcome = OutcomeOutput()
    usage = UsageEffectOutput(many=True)
    invoices = InvoiceEffectOutput(many=True)
    customers_left_off = serializers.IntegerField(help_text="Affected too, and not looked at.")


class BackfillPreview(APIView):
    required_scope = Scope.USAGE_READ

    @extend_schema(responses=BackfillPreviewOutput)
    def get(self, request: Request, backfill_id: str) -> Response:
        """What closing would change now: usage in the range, drafts, and the next invoices with their adjustments."""
        preview = preview_backfill(backfill=backfill_by_id(backfill_id), now=clock.now())
        return Response(BackfillPreviewOutput(document(preview)).data)


def document(preview: Preview) -> dict[str, Any]:
    return {
        "outcome": {name: preview.outcome.get(name, 0) for name in OUTCOMES},
        "usage": [
            {
                "customer": one.customer.public_id,
                "meter": one.meter.code,
                "before": one.before,
                "after": one.after,
            }
            for one in preview.usage
        ],
        "invoices": [
            {
                "customer": one.customer.public_id,
                "subscription": one.subscription,
                "invoice": one.draft or None,
                "period_start": one.period_start,
                "period_end": one.period_end,
                "currency": one.currency,
                "before": money_text(one.before, one.currency),
                "after": money_text(one.after, one.currency),
            }
            for one in preview.invoices
        ],
        "customers_left_off": preview.left_off,
    }
