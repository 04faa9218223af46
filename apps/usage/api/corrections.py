"""/corrections: void and amend events, and read what was corrected."""

from dataclasses import asdict
from functools import partial

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.access.models import Scope
from apps.core import clock
from apps.core.api.idempotency import Parts, idempotent, idempotent_in_parts
from apps.usage.api.correction_serializers import AmendInput, CorrectionOutput, VoidInput, VoidOutput
from apps.usage.models import UsageCorrection
from apps.usage.services.corrections.amend_event import CHANGEABLE, amend_event
from apps.usage.services.corrections.void_event import try_to_void


class CorrectionList(ListAPIView[UsageCorrection]):
    """Corrections, the newest first."""

    required_scope = Scope.USAGE_READ
    serializer_class = CorrectionOutput
    filterset_fields = ["kind", "event_id", "source"]

    def get_queryset(self) -> QuerySet[UsageCorrection]:
        return UsageCorrection.objects.select_related("customer", "backfill")


class EventsVoid(APIView):
    """Let up to 100 events count no more, each with a verdict of its own.

    Usage and drafts follow at once; what stands on a finalized invoice is credited on the next one. A voided
    event that is sent again is `duplicate` and stays voided.
    """

    required_scope = Scope.USAGE_WRITE

    @extend_schema(request=VoidInput, responses=VoidOutput)
    @idempotent_in_parts
    def post(self, request: Request, parts: Parts) -> Response:
        """Each void pauses ingestion until its transaction ends, so each has one of its own."""
        given = VoidInput(data=request.data)
        given.is_valid(raise_exception=True)
        reason, now = given.validated_data["reason"], clock.now()

        def void(event_id: str, source: str) -> dict[str, str]:
            return asdict(try_to_void(event_id=event_id, source=source, reason=reason, now=now))

        verdicts = [
            parts.once(partial(void, one["id"], one["source"])) for one in given.validated_data["events"]
        ]
        voided = sum(one["status"] == "voided" for one in verdicts)
        body = {"voided": voided, "refused": len(verdicts) - voided, "results": verdicts}
        return Response(VoidOutput(body).data)


class EventAmend(APIView):
    """Let an event count with another customer, timestamp or properties. It keeps its id.

    What is not given stays. The original sent again is still `duplicate`.
    """

    required_scope = Scope.USAGE_WRITE

    @extend_schema(request=AmendInput, responses={201: CorrectionOutput})
    @idempotent
    def post(self, request: Request) -> Response:
        given = AmendInput(data=request.data)
        given.is_valid(raise_exception=True)
        data = given.validated_data
        correction = amend_event(
            event_id=data["id"],
            source=data["source"],
            changes={name: data[name] for name in CHANGEABLE if name in data},
            reason=data["reason"],
            now=clock.now(),
        )
        return Response(CorrectionOutput(correction).data, status=201)
