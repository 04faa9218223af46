"""/subscriptions/{id}/charges: what a customer owes once, beside what the plan asks for."""

from typing import Any

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
from apps.core.api.fields import InstantField, PlainDecimalField, StrictSerializer
from apps.core.api.idempotency import idempotent
from apps.invoices.api.subscription_previews import SubscriptionPreviewOutput, document
from apps.invoices.charges_shown import invoice_of, state_of, with_invoices
from apps.invoices.models import OneOffCharge
from apps.invoices.services import one_off_charges
from apps.invoices.services.draft import MAX_REASON
from apps.invoices.services.one_off_charges import MAX_DESCRIPTION
from apps.invoices.services.preview_change import preview
from apps.subscriptions.api.verbs import SubscriptionReasonInput, subscription_by_id


class ChargeOutput(serializers.ModelSerializer[OneOffCharge]):
    """Give it charges `with_invoices`."""

    id = serializers.CharField(source="public_id")
    subscription = serializers.CharField(source="subscription.public_id")
    quantity = PlainDecimalField(max_digits=60)
    unit_amount = PlainDecimalField(max_digits=48, help_text="Below zero: a credit.")
    amount = serializers.CharField(source="amount_text")
    at_once = serializers.BooleanField(source="is_billed_at_once", help_text="It has an invoice of its own.")
    state = serializers.SerializerMethodField(
        help_text="`pending`, `drafted`, `invoiced` or `withdrawn`. What stands on a void invoice is pending."
    )
    invoice = serializers.SerializerMethodField(help_text="The invoice it is on; null while it is pending.")

    class Meta:
        model = OneOffCharge
        fields = [
            "id",
            "subscription",
            "description",
            "quantity",
            "unit_amount",
            "currency",
            "amount",
            "charged_at",
            "at_once",
            "state",
            "invoice",
            "withdrawn_at",
            "created_at",
        ]

    def get_state(self, charge: OneOffCharge) -> str:
        return state_of(charge)

    def get_invoice(self, charge: OneOffCharge) -> str | None:
        invoice = invoice_of(charge)
        return None if invoice is None else invoice.public_id


class ChargeInput(StrictSerializer):
    description = serializers.CharField(
        max_length=MAX_DESCRIPTION, help_text="What the customer reads on the invoice."
    )
    quantity = PlainDecimalField(required=False, help_text="Above zero; default: 1.")
    unit_amount = PlainDecimalField(help_text="In the subscription's currency; below zero: a credit.")
    charged_at = InstantField(
        required=False,
        help_text="Default: now. It is on the invoice of the period that contains it; not before what is billed.",
    )
    at_once = serializers.BooleanField(
        required=False, help_text="Draft an invoice of its own now, instead of waiting for the period to end."
    )
    reason = serializers.CharField(max_length=MAX_REASON, help_text="Kept in the audit log.")


def given(body: type[StrictSerializer], request: Request) -> dict[str, Any]:
    found = body(data=request.data)
    found.is_valid(raise_exception=True)
    return dict(found.validated_data)


def shown(charge: OneOffCharge) -> dict[str, Any]:
    return ChargeOutput(with_invoices(OneOffCharge.objects.all()).get(pk=charge.pk)).data


def charge_of(public_id: str, charge_id: str) -> OneOffCharge:
    charges = OneOffCharge.objects.select_related("subscription")
    return get_object_or_404(charges, public_id=charge_id, subscription__public_id=public_id)


class SubscriptionCharges(ListAPIView[OneOffCharge]):
    """Its one-off charges, the newest first."""

    read_scope = Scope.INVOICES_READ
    write_scope = Scope.INVOICES_WRITE
    serializer_class = ChargeOutput
    filter_backends = ()

    def get_queryset(self) -> QuerySet[OneOffCharge]:
        if getattr(self, "swagger_fake_view", False):
            return OneOffCharge.objects.none()
        return with_invoices(subscription_by_id(self.kwargs["public_id"]).one_off_charges.all())

    @extend_schema(request=ChargeInput, responses={201: ChargeOutput})
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        """Charge or credit something once: with the invoice of the period, or at once with an invoice of its own."""
        subscription, fields = subscription_by_id(public_id), given(ChargeInput, request)
        made = one_off_charges.make_charge(subscription=subscription, now=clock.now(), **fields)
        return Response(shown(made), status=201)


class SubscriptionChargePreview(APIView):
    required_scope = Scope.INVOICES_READ

    @extend_schema(request=ChargeInput, responses=SubscriptionPreviewOutput)
    def post(self, request: Request, public_id: str) -> Response:
        """What the charge would do to the next invoices."""
        subscription, now = subscription_by_id(public_id), clock.now()
        fields = given(ChargeInput, request)
        seen = preview(one_off_charges.charge, subscription=subscription, now=now, **fields)
        return Response(SubscriptionPreviewOutput(document(subscription, seen, now)).data)


class SubscriptionChargeWithdraw(APIView):
    required_scope = Scope.INVOICES_WRITE

    @extend_schema(request=SubscriptionReasonInput, responses=ChargeOutput)
    @idempotent
    def post(self, request: Request, public_id: str, charge_id: str) -> Response:
        """Withdraw a charge that is on no invoice yet, or only on a void one."""
        charge, fields = charge_of(public_id, charge_id), given(SubscriptionReasonInput, request)
        return Response(shown(one_off_charges.withdraw_charge(charge=charge, now=clock.now(), **fields)))


class SubscriptionChargeWithdrawPreview(APIView):
    required_scope = Scope.INVOICES_READ

    @extend_schema(request=SubscriptionReasonInput, responses=SubscriptionPreviewOutput)
    def post(self, request: Request, public_id: str, charge_id: str) -> Response:
        """What withdrawing the charge would do to the next invoices."""
        charge, now = charge_of(public_id, charge_id), clock.now()
        fields = given(SubscriptionReasonInput, request)
        subscription = charge.subscription
        seen = preview(one_off_charges.withdraw, subscription=subscription, now=now, charge=charge, **fields)
        return Response(SubscriptionPreviewOutput(document(subscription, seen, now)).data)
