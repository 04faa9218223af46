"""/customers/{team}/bill_to_parent/preview and …/stop_billing_to_parent/preview: what the parent would owe by now."""

from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.access.models import Scope
from apps.core import clock
from apps.core.money import money_text
from apps.customers.models import TeamBilling
from apps.customers.selectors import customer_by_reference
from apps.invoices.services.preview_team_billing import preview_team_billing
from apps.subscriptions.api.team_billings import TeamBillingInput, TeamBillingOutput
from apps.subscriptions.services import team_billing


class TeamPreviewOutput(serializers.Serializer[Any]):
    billing = TeamBillingOutput(help_text="As it would be.")
    currency = serializers.CharField()
    before = serializers.CharField(help_text="What the payer's open periods have come to by now.")
    after = serializers.CharField(help_text="What they would have come to.")


def previewed(verb: Callable[..., TeamBilling], request: Request, customer: str) -> Response:
    given = TeamBillingInput(data=request.data)
    given.is_valid(raise_exception=True)
    team = customer_by_reference(customer)
    seen = preview_team_billing(verb, team=team, now=clock.now(), **given.validated_data)
    before, after = (money_text(amount, seen.currency) for amount in (seen.before, seen.after))
    document = {"billing": seen.billing, "currency": seen.currency, "before": before, "after": after}
    return Response(TeamPreviewOutput(document).data)


class BillToParentPreview(APIView):
    required_scope = Scope.INVOICES_READ

    @extend_schema(request=TeamBillingInput, responses=TeamPreviewOutput)
    def post(self, request: Request, customer: str) -> Response:
        """What billing the team to its parent would do to the parent's open periods."""
        return previewed(team_billing.bill_team_to_parent, request, customer)


class StopBillingToParentPreview(APIView):
    required_scope = Scope.INVOICES_READ

    @extend_schema(request=TeamBillingInput, responses=TeamPreviewOutput)
    def post(self, request: Request, customer: str) -> Response:
        """What it would do to the parent's open periods if the team were not billed to it any more."""
        return previewed(team_billing.stop_billing_team_to_parent, request, customer)
