"""The body of POST /events for the site's own view: read by the same code as at the front door."""

from typing import Any

from django.conf import settings
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from apps.core.api.parsers import read_body
from apps.usage.wire import cloudevents, formats
from apps.usage.wire.batch import Batch


class EventsParser(BaseParser):
    """Unpacks; what the bytes mean depends on headers as well."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        headers = (parser_context or {})["request"].headers
        encoding = headers.get("Content-Encoding", "").strip().lower()
        return read_body(stream, encoding=encoding, limit=settings.INGESTION_MAX_BYTES)


def events_of(request: Request) -> Batch:
    """Raises what `formats.read` raises."""
    # For an empty body the parser is not even asked.
    body: Any = request.data or b""
    names = [name for name in request.headers if name.lower().startswith(cloudevents.PREFIX)]
    return formats.read(
        body,
        content_type=request.headers.get("Content-Type", ""),
        attributes={name.lower(): request.headers[name] for name in names},
    )
