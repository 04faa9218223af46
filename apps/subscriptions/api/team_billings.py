"""/customers/{customer}/team_billings, and billing a team to its parent"""

from typing import Any

from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.access.models import Scope
from apps.core import clock
from apps.core.api.fields import InstantField, StrictSerializer
from apps.core.api.idempotency import idempotent
from apps.customers.models import TeamBilling
from apps.customers.selectors import customer_by_reference
from apps.subscriptions.api.serializers import MAX_REASON
from apps.subscriptions.services import team_billing
from apps.subscriptions.services.team_billing import Starting


class TeamBillingInput(StrictSerializer):
    when = serializers.ChoiceField(Starting.choices, help_text="It has no default.")
    at = InstantField(
        required=False, help_text="With `date`, and only with it. Not before what the parent is billed for."
    )
    reason = serializers.CharField(max_length=MAX_REASON, help_text="Kept in the audit log.")


class TeamBillingOutput(serializers.ModelSerializer[TeamBilling]):
    team = serializers.CharField(source="team.public_id")
    team_external_id = serializers.CharField(source="team.external_id")
    payer = serializers.CharField(source="payer.public_id")
    payer_external_id = serializers.CharField(source="payer.external_id")
    ends_at = serializers.DateTimeField(
        allow_null=True, help_text="Exclusive; null while no end is set. Equal to starts_at: it never began."
    )

    class Meta:
        model = TeamBilling
        fields = ["team", "team_external_id", "payer", "payer_external_id", "starts_at", "ends_at"]


class TeamBillingList(ListAPIView[TeamBilling]):
    """Since when the customer's teams are billed to it, or it to its parent; the newest first."""

    required_scope = Scope.CUSTOMERS_READ
    queryset = TeamBilling.objects.none()  # for the description of the API, which knows no customer
    serializer_class = TeamBillingOutput

    def get_queryset(self) -> QuerySet[TeamBilling]:
        customer = customer_by_reference(self.kwargs["customer"])
        found = TeamBilling.objects.filter(Q(team=customer) | Q(payer=customer))
        return found.select_related("team", "payer")


def done(verb: Any, request: Request, customer: str) -> Response:
    given = TeamBillingInput(data=request.data)
    given.is_valid(raise_exception=True)
    billing = verb(team=customer_by_reference(customer), now=clock.now(), **given.validated_data)
    return Response(TeamBillingOutput(billing).data)


class BillToParent(APIView):
    required_scope = Scope.CUSTOMERS_WRITE

    @extend_schema(request=TeamBillingInput, responses=TeamBillingOutput)
    @idempotent
    def post(self, request: Request, customer: str) -> Response:
        """Bill a team's usage to its parent: the parent's subscriptions price it with their own, and tell it apart."""
        return done(team_billing.bill_team_to_parent, request, customer)


class StopBillingToParent(APIView):
    required_scope = Scope.CUSTOMERS_WRITE

    @extend_schema(request=TeamBillingInput, responses=TeamBillingOutput)
    @idempotent
    def post(self, request: Request, customer: str) -> Response:
        """From an instant on the team's usage is its own again."""
        return done(team_billing.stop_billing_team_to_parent, request, customer)
