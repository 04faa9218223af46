"""/meters and /plans"""

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.access.models import Scope
from apps.catalog.api.serializers import (
    MeterInput,
    MeterOutput,
    PlanInput,
    PlanOutput,
    PlanVersionInput,
    PlanVersionOutput,
)
from apps.catalog.models import Meter, Plan, PlanVersion
from apps.catalog.services import meters, plans, versions
from apps.core import clock
from apps.core.api.idempotency import idempotent


class MeterList(ListAPIView[Meter]):
    """Meters, the newest first."""

    read_scope = Scope.CATALOG_READ
    write_scope = Scope.CATALOG_WRITE
    serializer_class = MeterOutput
    filterset_fields = ["event_name"]

    def get_queryset(self) -> QuerySet[Meter]:
        return Meter.objects.all()

    @extend_schema(request=MeterInput, responses={201: MeterOutput})
    @idempotent
    def post(self, request: Request) -> Response:
        """Create a meter. It counts the events that come from now on."""
        given = MeterInput(data=request.data)
        given.is_valid(raise_exception=True)
        return Response(MeterOutput(meters.create_meter(**given.validated_data)).data, status=201)


class MeterDetail(APIView):
    read_scope = Scope.CATALOG_READ

    @extend_schema(responses=MeterOutput)
    def get(self, request: Request, code: str) -> Response:
        """Read a meter."""
        return Response(MeterOutput(get_object_or_404(Meter, code=code)).data)


class PlanList(ListAPIView[Plan]):
    """Plans, the newest first."""

    read_scope = Scope.CATALOG_READ
    write_scope = Scope.CATALOG_WRITE
    serializer_class = PlanOutput

    def get_queryset(self) -> QuerySet[Plan]:
        return Plan.objects.prefetch_related("versions__prices__meter", "versions__plan")

    @extend_schema(request=PlanInput, responses={201: PlanVersionOutput})
    @idempotent
    def post(self, request: Request) -> Response:
        """Create a plan; its first version is a draft until it is published."""
        given = PlanInput(data=request.data)
        given.is_valid(raise_exception=True)
        fields = dict(given.validated_data)
        prices = [plans.NewPrice(**price) for price in fields.pop("prices")]
        return Response(PlanVersionOutput(plans.create_plan(**fields, prices=prices)).data, status=201)


class PlanDetail(APIView):
    read_scope = Scope.CATALOG_READ

    @extend_schema(responses=PlanOutput)
    def get(self, request: Request, code: str) -> Response:
        """Read a plan with its versions and prices."""
        return Response(PlanOutput(get_object_or_404(Plan, code=code)).data)


class PlanVersionList(APIView):
    write_scope = Scope.CATALOG_WRITE

    @extend_schema(request=PlanVersionInput, responses={201: PlanVersionOutput})
    @idempotent
    def post(self, request: Request, code: str) -> Response:
        """Draft the next version of a plan."""
        given = PlanVersionInput(data=request.data)
        given.is_valid(raise_exception=True)
        prices = [plans.NewPrice(**price) for price in given.validated_data["prices"]]
        version = plans.draft_version(
            plan=get_object_or_404(Plan, code=code), currency=given.validated_data["currency"], prices=prices
        )
        return Response(PlanVersionOutput(version).data, status=201)


class PlanVersionPublish(APIView):
    write_scope = Scope.CATALOG_WRITE

    @extend_schema(request=None, responses=PlanVersionOutput)
    @idempotent
    def post(self, request: Request, code: str, number: int) -> Response:
        """Freeze a draft and offer it. Its prices can't be changed any more."""
        version = get_object_or_404(PlanVersion, plan__code=code, number=number)
        return Response(PlanVersionOutput(versions.publish_version(version=version, now=clock.now())).data)
