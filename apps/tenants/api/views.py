"""The test clock."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core.api.fields import InstantField
from apps.core.schema import current_tenant
from apps.tenants.models import Tenant
from apps.tenants.services import advance_clock as advancing


class AdvanceInput(serializers.Serializer[Any]):
    to = InstantField(help_text="The instant to arrive at; not before the clock.")


class AdvanceOutput(serializers.Serializer[Any]):
    clock_at = serializers.DateTimeField()
    jobs = serializers.DictField(
        child=serializers.IntegerField(), help_text="How much each due job did on the way."
    )


class AdvanceTestClock(APIView):
    """Move a sandbox's clock forward and run, in order, everything that becomes due on the way.

    Repeating a call is harmless: the target is absolute.
    """

    required_scope = "test_clock"

    @extend_schema(request=AdvanceInput, responses=AdvanceOutput)
    def post(self, request: Request) -> Response:
        given = AdvanceInput(data=request.data)
        given.is_valid(raise_exception=True)
        tenant = Tenant.objects.get(pk=current_tenant().pk)
        advanced = advancing.advance_clock(tenant=tenant, to=given.validated_data["to"])
        return Response({"clock_at": advanced.clock_at, "jobs": advanced.jobs})
