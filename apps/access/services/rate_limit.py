"""A token bucket for each key that has a limit, exact over all processes.

The bucket is one row and taking from it one statement, so that of two processes one waits for the other. The
time is the database's, which is the only one that they all share; it is real time, also in a sandbox.
"""

from dataclasses import dataclass
from http import HTTPStatus

from django.conf import settings
from django.db import connection

from apps.access.models import ApiKey
from apps.core.errors import Refused

# `excluded.filled_at` is the present. It may lie before that of whoever was waited for.
FILLED = """least(%(burst)s, bucket.tokens + %(rate)s * extract(epoch FROM greatest(
    excluded.filled_at - bucket.filled_at, interval '0')))"""
TAKE = f"""
INSERT INTO access_ratebucket AS bucket (api_key_id, tokens, filled_at)
VALUES (%(api_key)s, %(burst)s - %(events)s, clock_timestamp())
ON CONFLICT (api_key_id) DO UPDATE
SET tokens = {FILLED} - %(events)s, filled_at = greatest(excluded.filled_at, bucket.filled_at)
WHERE {FILLED} >= %(events)s
"""
# What is there now, and the whole seconds until there is enough.
MISSING = """
SELECT floor(tokens), greatest(1, ceil((%(events)s - tokens) / %(rate)s)) FROM (
    SELECT least(%(burst)s, tokens + %(rate)s * extract(epoch FROM greatest(
        clock_timestamp() - filled_at, interval '0'))) AS tokens
    FROM access_ratebucket WHERE api_key_id = %(api_key)s
) AS bucket
"""


@dataclass(frozen=True, slots=True)
class Limit:
    per_second: int
    burst: int


class RateLimited(Refused):
    status = HTTPStatus.TOO_MANY_REQUESTS


class BatchExceedsBurst(Refused):
    """Waiting does not help, and so this is no 429."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def limit_of(api_key: ApiKey) -> Limit | None:
    """The key's own numbers, else the installation's. Without a burst of its own any batch passes after a rest."""
    per_second = api_key.events_per_second or settings.INGESTION_RATE_LIMIT
    if per_second is None:
        return None
    return Limit(per_second, api_key.burst_events or max(per_second, settings.INGESTION_MAX_EVENTS))


def take(*, api_key: ApiKey, events: int) -> None:
    """Take so many events out of the key's bucket, all or none. What was taken is not given back.

    Raises `RateLimited` with the seconds after which the same request would pass, `BatchExceedsBurst`.
    Must be called outside a transaction: the row would stay locked until its end.
    """
    limit = limit_of(api_key)
    if limit is None:
        return
    if events > limit.burst:
        raise BatchExceedsBurst(
            "batch_exceeds_burst",
            f"This key may send {limit.burst} events at once, and this batch has {events}; send smaller ones.",
        )
    asked = {"api_key": api_key.pk, "rate": limit.per_second, "burst": limit.burst, "events": events}
    with connection.cursor() as cursor:
        cursor.execute(TAKE, asked)
        if cursor.rowcount:
            return
        cursor.execute(MISSING, asked)
        left, seconds = cursor.fetchone()
    refused = RateLimited(
        "rate_limited",
        f"This key may send {limit.per_second} events a second; nothing was stored. Try again in {seconds} s.",
    )
    refused.headers = {
        "Retry-After": str(seconds),
        "RateLimit-Limit": str(limit.burst),
        "RateLimit-Remaining": str(left),
        "RateLimit-Reset": str(seconds),
    }
    raise refused
