"""/billing_runs: what closing has done, and how far it is"""

import django_filters
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.access.models import Scope
from apps.core import clock
from apps.core.money import money_text
from apps.invoices.due import still_due
from apps.invoices.models import BillingRun, BillingRunAmount


class BillingRunAmountOutput(serializers.ModelSerializer[BillingRunAmount]):
    amount = serializers.SerializerMethodField()

    class Meta:
        model = BillingRunAmount
        fields = ["currency", "amount", "invoice_count"]

    def get_amount(self, one: BillingRunAmount) -> str:
        return money_text(one.amount, one.currency)


class BillingRunOutput(serializers.ModelSerializer[BillingRun]):
    state = serializers.SerializerMethodField(help_text="`interrupted`: it told nothing for ten minutes.")
    subscription = serializers.CharField(
        source="subscription.public_id", allow_null=True, default=None, help_text="When it was for one alone."
    )
    due_until_at = serializers.DateTimeField(help_text="What was due then, by the tenant's clock.")
    due_count = serializers.IntegerField(help_text="Subscriptions when it began.")
    billed_count = serializers.IntegerField(help_text="Invoices so far: a subscription may have several.")
    parked_count = serializers.IntegerField(help_text="Subscriptions that could not be billed.")
    amounts = BillingRunAmountOutput(many=True)

    class Meta:
        model = BillingRun
        fields = [
            "id", "kind", "state", "due_until_at", "started_at", "updated_at", "finished_at", "started_by",
            "subscription", "due_count", "billed_count", "parked_count", "amounts",
        ]  # fmt: skip

    def get_state(self, run: BillingRun) -> BillingRun.State:
        return run.state_at(clock.real_now())


class BillingRunDetailOutput(BillingRunOutput):
    still_due_count = serializers.SerializerMethodField(
        help_text="Subscriptions left of what was due, without parked ones; null of thresholds, where it is not known."
    )

    class Meta(BillingRunOutput.Meta):
        fields = [*BillingRunOutput.Meta.fields, "still_due_count"]

    def get_still_due_count(self, run: BillingRun) -> int | None:
        return still_due(run)


def runs() -> QuerySet[BillingRun]:
    return BillingRun.objects.select_related("subscription").prefetch_related("amounts")


class BillingRunFilter(django_filters.FilterSet):
    finished = django_filters.BooleanFilter("finished_at", "isnull", exclude=True, label="Whether it ended.")
    subscription = django_filters.CharFilter("subscription__public_id", label="The subscription's id.")

    class Meta:
        model = BillingRun
        fields = ["kind"]


class BillingRunList(ListAPIView[BillingRun]):
    """Runs that opened or closed periods, the newest first, each with how far it is and what it billed."""

    required_scope = Scope.INVOICES_READ
    serializer_class = BillingRunOutput
    filterset_class = BillingRunFilter

    def get_queryset(self) -> QuerySet[BillingRun]:
        return runs()


class BillingRunDetail(APIView):
    required_scope = Scope.INVOICES_READ

    @extend_schema(responses=BillingRunDetailOutput)
    def get(self, request: Request, run_id: int) -> Response:
        """Read a run. Its numbers grow with each batch, in the batch's own transaction."""
        return Response(BillingRunDetailOutput(get_object_or_404(runs(), pk=run_id)).data)
