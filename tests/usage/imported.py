"""Files of events as tests make them, and what came of taking them in."""

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from apps.usage.models import UsageEvent, UsageImport
from apps.usage.services.imports import files, request, run, take

NOW = datetime(2026, 2, 1, tzinfo=UTC)
HEADER = "id,event,customer,timestamp,properties.input_tokens,properties.model\n"


def line(event_id: str, tokens: object = 1000, customer: str = "chat") -> str:
    return f"{event_id},llm.call,{customer},2026-01-15T10:00:00Z,{tokens},gpt-5\n"


def made(content: bytes | str, name: str = "events.csv", **wanted: Any) -> UsageImport:
    raw = content if isinstance(content, bytes) else content.encode()
    return request.create_import(file_name=name, pieces=[raw], now=NOW, **wanted)


def taken_in(content: bytes | str, name: str = "events.csv", **wanted: Any) -> UsageImport:
    found = made(content, name, **wanted)
    request.start_import(run=found, now=NOW)
    run.run_import(import_id=found.pk)
    found.refresh_from_db()
    return found


def counts(found: UsageImport) -> dict[str, int]:
    return {name: value for name in take.COUNTERS.values() if (value := getattr(found, name))}


def reported(found: UsageImport) -> list[tuple[int, str, str, str]]:
    """Line, id, status and code."""
    text = files.report_path_of(found).read_text()
    return [
        (int(one["line"]), one["id"], one["status"], one["code"]) for one in csv.DictReader(io.StringIO(text))
    ]


def properties_of(event_id: str) -> Any:
    return json.loads(UsageEvent.objects.get(event_id=event_id).properties_text, parse_float=Decimal)
