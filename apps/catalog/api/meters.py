"""/meters"""

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.access.models import Scope
from apps.catalog.api.meter_serializers import MeterInput, MeterOutput, MeterPatch
from apps.catalog.models import Meter
from apps.catalog.services import meters
from apps.core import clock
from apps.core.api.idempotency import idempotent


class MeterList(ListAPIView[Meter]):
    """Meters, the newest first."""

    read_scope = Scope.CATALOG_READ
    write_scope = Scope.CATALOG_WRITE
    serializer_class = MeterOutput
    filterset_fields = ["event_name", "aggregation", "status"]

    def get_queryset(self) -> QuerySet[Meter]:
        return Meter.objects.all()

    @extend_schema(request=MeterInput, responses={201: MeterOutput})
    @idempotent
    def post(self, request: Request) -> Response:
        """Create a meter. It counts the events that come from now on, also while it is a draft."""
        given = MeterInput(data=request.data)
        given.is_valid(raise_exception=True)
        return Response(MeterOutput(meters.create_meter(**given.validated_data)).data, status=201)


class MeterDetail(APIView):
    read_scope = Scope.CATALOG_READ
    write_scope = Scope.CATALOG_WRITE

    @extend_schema(responses=MeterOutput)
    def get(self, request: Request, code: str) -> Response:
        """Read a meter."""
        return Response(MeterOutput(get_object_or_404(Meter, code=code)).data)

    @extend_schema(request=MeterPatch, responses=MeterOutput)
    def patch(self, request: Request, code: str) -> Response:
        """Change how the meter is called and shown, and what a draft measures. What is active is frozen: 409."""
        meter = get_object_or_404(Meter, code=code)
        given = MeterPatch(data=request.data, partial=True)
        given.is_valid(raise_exception=True)
        return Response(MeterOutput(meters.change_meter(meter=meter, **given.validated_data)).data)


class MeterActivate(APIView):
    write_scope = Scope.CATALOG_WRITE

    @extend_schema(request=None, responses=MeterOutput)
    @idempotent
    def post(self, request: Request, code: str) -> Response:
        """Freeze what a draft measures; from now on prices can be published for it."""
        meter = get_object_or_404(Meter, code=code)
        meters.activate_meter(meter=meter)
        meter.refresh_from_db()
        return Response(MeterOutput(meter).data)


class MeterArchive(APIView):
    write_scope = Scope.CATALOG_WRITE

    @extend_schema(request=None, responses=MeterOutput)
    @idempotent
    def post(self, request: Request, code: str) -> Response:
        """Stop counting new events. What was counted stays, and is billed."""
        meter = get_object_or_404(Meter, code=code)
        meters.archive_meter(meter=meter, now=clock.now())
        meter.refresh_from_db()
        return Response(MeterOutput(meter).data)
