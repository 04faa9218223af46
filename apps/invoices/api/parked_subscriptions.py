"""/parked_subscriptions, and what gets a subscription billed: /subscriptions/{id}/release and …/close_now"""

from typing import Any

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.access.models import Scope
from apps.core import clock
from apps.core.api.idempotency import idempotent
from apps.core.errors import Refused
from apps.customers.api.filters import CustomerReferenceFilter
from apps.invoices.api.actions import InvoiceReasonInput, given
from apps.invoices.due import parked_subscriptions
from apps.invoices.models import ParkedSubscription
from apps.invoices.services import close_periods, park_subscription
from apps.subscriptions.api.verbs import subscription_by_id


class ParkedSubscriptionOutput(serializers.ModelSerializer[ParkedSubscription]):
    """Why the invoice of a period can't be made."""

    subscription = serializers.CharField(source="subscription.public_id")
    customer = serializers.CharField(source="subscription.customer.public_id")
    customer_external_id = serializers.CharField(source="subscription.customer.external_id")
    run = serializers.IntegerField(source="run_id", allow_null=True, help_text="The billing run's id.")
    period_end = serializers.DateTimeField(help_text="Exclusive.")
    tries = serializers.IntegerField(help_text="How often this period was tried in vain.")

    class Meta:
        model = ParkedSubscription
        fields = [
            "id", "subscription", "customer", "customer_external_id", "run", "kind", "period_start", "period_end",
            "code", "message", "parked_at", "tries", "released_at", "release_reason",
        ]  # fmt: skip


class ParkedSubscriptionFilter(django_filters.FilterSet):
    customer = CustomerReferenceFilter(
        label="The customer's id or external id.", field_name="subscription__customer"
    )
    subscription = django_filters.CharFilter("subscription__public_id", label="The subscription's id.")
    run = django_filters.NumberFilter("run_id", label="The billing run's id.")
    released = django_filters.BooleanFilter(
        "released_at", "isnull", exclude=True, label="false: those that wait. Without: the released ones too."
    )

    class Meta:
        model = ParkedSubscription
        fields = ["kind", "code"]


class ParkedSubscriptionList(ListAPIView[ParkedSubscription]):
    """Subscriptions that could not be billed, with the reason, the newest first. Runs skip one until its release."""

    required_scope = Scope.INVOICES_READ
    serializer_class = ParkedSubscriptionOutput
    filterset_class = ParkedSubscriptionFilter

    def get_queryset(self) -> QuerySet[ParkedSubscription]:
        return ParkedSubscription.objects.select_related("subscription__customer")


class SubscriptionRelease(APIView):
    required_scope = Scope.INVOICES_WRITE

    @extend_schema(request=InvoiceReasonInput, responses=ParkedSubscriptionOutput)
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        """Let a parked subscription be billed again: the next run tries it, and parks it anew if it still can't be."""
        subscription, reason = subscription_by_id(public_id), given(request, InvoiceReasonInput)["reason"]
        parked = parked_subscriptions().filter(subscription=subscription).first()
        if parked is None:
            raise Refused("not_parked", "Nothing holds this subscription.")
        released = park_subscription.release_parked(parked=parked, reason=reason, now=clock.now())
        return Response(ParkedSubscriptionOutput(released).data)


class ClosedNowOutput(serializers.Serializer[Any]):
    subscription = serializers.CharField()
    invoice_count = serializers.IntegerField(help_text="Drafts that were made.")
    parked = ParkedSubscriptionOutput(allow_null=True, help_text="Why it could not be billed to the end.")


class SubscriptionCloseNow(APIView):
    required_scope = Scope.INVOICES_WRITE

    @extend_schema(request=InvoiceReasonInput, responses=ClosedNowOutput)
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        """Bill all periods of one subscription that are over now, the oldest first, instead of at the next run."""
        subscription, reason = subscription_by_id(public_id), given(request, InvoiceReasonInput)["reason"]
        billed = close_periods.close_now(subscription=subscription, reason=reason, now=clock.now())
        parked = parked_subscriptions().filter(subscription=subscription).first()
        told = {"subscription": subscription.public_id, "invoice_count": billed, "parked": parked}
        return Response(ClosedNowOutput(told).data)
