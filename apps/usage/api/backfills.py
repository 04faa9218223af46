"""/backfills: report a range of the past anew; /meters/…/backfills: let a meter read the past."""

from typing import cast

from django.db import transaction
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.access.models import ApiKey, Scope
from apps.access.services import rate_limit
from apps.catalog.models import Meter
from apps.core import clock
from apps.core.api.idempotency import idempotent
from apps.customers.selectors import customer_by_reference
from apps.usage.api.correction_serializers import (
    BackfillInput,
    BackfillOutput,
    MeterBackfillInput,
    MeterBackfillOutput,
    ReasonInput,
)
from apps.usage.api.parsers import EventsParser, events_of
from apps.usage.api.serializers import BatchOutput, EventBatch
from apps.usage.models import MeterBackfill, UsageBackfill
from apps.usage.services.corrections import backfills
from apps.usage.services.corrections.close_backfill import close_backfill
from apps.usage.services.corrections.revert_backfill import revert_backfill
from apps.usage.services.corrections.stage_events import stage_events
from apps.usage.services.meter_backfill.request import request_backfill
from apps.usage.tasks import run_meter_backfill
from apps.usage.wire import answer


class BackfillList(ListAPIView[UsageBackfill]):
    """Backfills, the newest first."""

    read_scope = Scope.USAGE_READ
    write_scope = Scope.USAGE_WRITE
    serializer_class = BackfillOutput
    filterset_fields = ["status", "mode"]

    def get_queryset(self) -> QuerySet[UsageBackfill]:
        return UsageBackfill.objects.select_related("customer")

    @extend_schema(request=BackfillInput, responses={201: BackfillOutput})
    @idempotent
    def post(self, request: Request) -> Response:
        """Open a backfill of a range, however old. Nothing that is sent to it counts before it is closed."""
        given = BackfillInput(data=request.data)
        given.is_valid(raise_exception=True)
        data = given.validated_data
        backfill = backfills.open_backfill(
            starts_at=data["start"],
            ends_at=data["end"],
            mode=data["mode"],
            customer=customer_by_reference(data["customer"]) if "customer" in data else None,
            event_name=data["event"],
            reason=data["reason"],
            now=clock.now(),
        )
        return Response(BackfillOutput(backfill).data, status=201)


class BackfillDetail(APIView):
    required_scope = Scope.USAGE_READ

    @extend_schema(responses=BackfillOutput)
    def get(self, request: Request, backfill_id: str) -> Response:
        """Read a backfill."""
        return Response(BackfillOutput(backfills.backfill_by_id(backfill_id)).data)


class BackfillEvents(APIView):
    """Send events to an open backfill, in batches as to /events, with the same verdicts.

    `accepted` says that the event is staged. `duplicate` and `conflict` are about this backfill; how an event
    compares with what counts already is decided when it is closed. Staging reserves no id.
    """

    required_scope = Scope.USAGE_WRITE
    parser_classes = [EventsParser]

    @extend_schema(
        request=EventBatch,
        responses=BatchOutput,
        parameters=[OpenApiParameter("results", str, enum=["all"], description="Name accepted events too.")],
    )
    def post(self, request: Request, backfill_id: str) -> Response:
        backfill = backfills.backfill_by_id(backfill_id)
        batch = events_of(request)
        rate_limit.take(api_key=cast(ApiKey, request.auth), events=batch.size)
        verdicts = stage_events(backfill=backfill, events=batch.events, now=clock.now())
        name_all = request.query_params.get("results") == "all"
        return Response(answer.document(batch, verdicts, name_all=name_all))


class BackfillClose(APIView):
    required_scope = Scope.USAGE_WRITE

    @extend_schema(request=None, responses=BackfillOutput)
    @idempotent
    def post(self, request: Request, backfill_id: str) -> Response:
        """Let the staged events count, all at once, and with `replace` void what was in the range before."""
        backfill = close_backfill(backfill=backfills.backfill_by_id(backfill_id), now=clock.now())
        return Response(BackfillOutput(backfill).data)


class BackfillRevert(APIView):
    required_scope = Scope.USAGE_WRITE

    @extend_schema(request=ReasonInput, responses=BackfillOutput)
    @idempotent
    def post(self, request: Request, backfill_id: str) -> Response:
        """Undo exactly what closing did. Refused where later corrections build on it: 409 corrected_since."""
        given = ReasonInput(data=request.data)
        given.is_valid(raise_exception=True)
        backfill = revert_backfill(
            backfill=backfills.backfill_by_id(backfill_id),
            reason=given.validated_data["reason"],
            now=clock.now(),
        )
        return Response(BackfillOutput(backfill).data)


class BackfillDiscard(APIView):
    required_scope = Scope.USAGE_WRITE

    @extend_schema(request=None, responses=BackfillOutput)
    @idempotent
    def post(self, request: Request, backfill_id: str) -> Response:
        """Throw away what was staged."""
        backfill = backfills.discard_backfill(backfill=backfills.backfill_by_id(backfill_id), now=clock.now())
        return Response(BackfillOutput(backfill).data)


class MeterBackfillList(ListAPIView[MeterBackfill]):
    """Backfills of a meter with their progress, the newest first."""

    read_scope = Scope.USAGE_READ
    write_scope = Scope.USAGE_WRITE
    queryset = MeterBackfill.objects.none()  # for the description of the API, which knows no meter
    serializer_class = MeterBackfillOutput
    filterset_fields = ["status"]

    def get_queryset(self) -> QuerySet[MeterBackfill]:
        meter = get_object_or_404(Meter, code=self.kwargs["code"])
        return MeterBackfill.objects.filter(meter=meter).select_related("meter")

    @extend_schema(request=MeterBackfillInput, responses={202: MeterBackfillOutput})
    @idempotent
    def post(self, request: Request, code: str) -> Response:
        """Let the meter read events that came in before it, in the background."""
        meter = get_object_or_404(Meter, code=code)
        given = MeterBackfillInput(data=request.data)
        given.is_valid(raise_exception=True)
        data = given.validated_data
        backfill = request_backfill(
            meter=meter, starts_at=data["start"], ends_at=data["end"], reason=data["reason"], now=clock.now()
        )
        transaction.on_commit(lambda: run_meter_backfill.delay(backfill.pk))
        return Response(MeterBackfillOutput(backfill).data, status=202)
