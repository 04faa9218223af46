"""The answer to POST /events: how many of each verdict, and each that is not a plain acceptance by name."""

from collections.abc import Sequence
from typing import Any

import msgspec

from apps.core.api.renderers import JSONRenderer
from apps.usage.wire.batch import Batch
from apps.usage.wire.verdict import AllAccepted, Verdict

COUNTED = {
    "accepted": "accepted",
    "duplicates": "duplicate",
    "conflicts": "conflict",
    "quarantined": "quarantined",
    "rejected": "rejected",
}
ALL_ACCEPTED = b'{"accepted":%d,"duplicates":0,"conflicts":0,"quarantined":0,"rejected":0,"results":[]}'


def encoded(batch: Batch, verdicts: Sequence[Verdict], *, name_all: bool) -> bytes:
    """The verdicts are those of `batch.events`, in their order, possibly from the middle of a larger group.

    `param` of a verdict is a JSON pointer among the events that ingestion was given.
    """
    is_plain = not (name_all or batch.unreadable)
    if is_plain and (
        isinstance(verdicts, AllAccepted) or all(verdict.status == "accepted" for verdict in verdicts)
    ):
        return ALL_ACCEPTED % len(verdicts)
    body = document(batch, verdicts, name_all=name_all)
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:
        return JSONRenderer().render(body)  # an id with half a surrogate pair comes back as an escape


def document(batch: Batch, verdicts: Sequence[Verdict], *, name_all: bool) -> dict[str, Any]:
    body: dict[str, Any] = dict.fromkeys(COUNTED, 0)
    for counter, status in COUNTED.items():
        body[counter] = sum(verdict.status == status for verdict in verdicts)
    body["rejected"] += len(batch.unreadable)
    named = [
        named_verdict(batch, index, verdict)
        for index, verdict in zip(batch.positions(), verdicts, strict=True)
        if name_all or verdict.status != "accepted"
    ]
    for one in batch.unreadable:
        place = batch.dialect.place.format(index=one.index)
        named.append(
            {
                "index": one.index,
                "id": one.event_id,
                "status": "rejected",
                "code": one.code,
                "param": place + one.param,
                "message": one.message,
            }
        )
    if batch.unreadable:
        named.sort(key=lambda one: one["index"])
    body["results"] = named
    return body


def named_verdict(batch: Batch, index: int, verdict: Verdict) -> dict[str, Any]:
    param = verdict.param
    if param:
        # Ingestion counted from the beginning of the group: /events/<number there>/…
        _, _, _, *inner = param.split("/", 3)
        param = batch.dialect.pointer(index, f"/{inner[0]}" if inner else "")
    named: dict[str, Any] = {"index": index, "id": verdict.id, "status": verdict.status}
    more = {"code": verdict.code, "param": param, "message": verdict.message}
    return named | {name: text for name, text in more.items() if text}
