"""/events"""

from typing import cast

from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.access.models import ApiKey, Scope
from apps.access.services import rate_limit
from apps.core import clock
from apps.usage.api.parsers import EventsParser, events_of
from apps.usage.api.serializers import (
    BatchOutput,
    CloudEventInput,
    EventBatch,
    EventInput,
    EventOutput,
)
from apps.usage.selectors import event_by_identity
from apps.usage.services import ingest as ingestion
from apps.usage.wire import answer, cloudevents, formats

FORMATS = {
    "application/json": PolymorphicProxySerializer(
        component_name="Events", serializers=[EventBatch, EventInput], resource_type_field_name=None
    ),
    formats.NDJSON: EventInput,
    cloudevents.STRUCTURED: CloudEventInput,
    cloudevents.BATCHED: CloudEventInput(many=True),
}


class Events(APIView):
    """Report usage: up to 1,000 events a request, 1 MiB, gzip welcome.

    Send `{"events": […]}` or one event alone as JSON, one event a line as `application/x-ndjson`, or CloudEvents 1.0
    (`application/cloudevents+json`, `application/cloudevents-batch+json`, or binary with `ce-` headers), in which
    `type` is the event, `subject` the customer and `data` the properties.

    The answer has a verdict for each event, and comes after everything accepted is durable. Sending a batch
    again is safe: known events are `duplicate`. No `Idempotency-Key` is needed, for each event is its own.
    A key may have a limit of events a second: 429 says in `Retry-After` when the request would pass, and
    nothing of it was stored. After 503 the same request may be sent again, too.
    """

    required_scope = Scope.EVENTS_WRITE
    parser_classes = [EventsParser]

    @extend_schema(
        request=FORMATS,
        responses=BatchOutput,
        parameters=[
            OpenApiParameter(
                "results", str, enum=["all"], description="Name accepted events too, not just the others."
            )
        ],
    )
    def post(self, request: Request) -> Response:
        batch = events_of(request)
        rate_limit.take(api_key=cast(ApiKey, request.auth), events=batch.size)
        verdicts = ingestion.ingest(events=batch.events, now=clock.now())
        name_all = request.query_params.get("results") == "all"
        return Response(answer.document(batch, verdicts, name_all=name_all))


class EventDetail(APIView):
    """An accepted event by its id (and source), as it was reported."""

    required_scope = Scope.USAGE_READ

    @extend_schema(responses=EventOutput, parameters=[OpenApiParameter("source", str)])
    def get(self, request: Request, event_id: str) -> Response:
        event = event_by_identity(event_id=event_id, source=request.query_params.get("source", ""))
        return Response(EventOutput(event).data)
