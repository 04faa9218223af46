"""Make, recognise and revoke API keys.

A key reads `ch_<live|test>_<slug>_<secret>`: the slug names the tenant, so that one host serves all of
them, and the secret has 256 bits. A hash without salt or stretching is enough for such a secret (there is
nothing to guess), and lets the database find the key by an index.
"""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from apps.access.models import ApiKey, Scope
from apps.core import clock
from apps.core.recording import record
from apps.tenants.models import Tenant

SECRET_BYTES = 32
SHOWN_OF_SECRET = 4
LAST_USED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class NewKey:
    """`key` exists only here: it can't be read again."""

    api_key: ApiKey
    key: str


def create_api_key(
    *,
    tenant: Tenant,
    name: str,
    scopes: list[str],
    events_per_second: int | None = None,
    burst_events: int | None = None,
) -> NewKey:
    """Must be called inside the tenant's schema."""
    unknown = set(scopes) - set(Scope.values)
    assert not unknown, f"unknown scopes {unknown}"
    secret = secrets.token_hex(SECRET_BYTES)
    head = f"ch_{'test' if tenant.is_sandbox else 'live'}_{tenant.slug}_"
    key = head + secret
    api_key = ApiKey.objects.create(
        name=name,
        prefix=head + secret[:SHOWN_OF_SECRET],
        key_hash=digest(key),
        scopes=sorted(set(scopes)),
        events_per_second=events_per_second,
        burst_events=burst_events,
    )
    return NewKey(api_key=api_key, key=key)


def revoke_api_key(*, api_key: ApiKey, now: datetime) -> bool:
    """Revoke for good. False when somebody was faster; the first instant stays."""
    return bool(ApiKey.objects.filter(pk=api_key.pk, revoked_at__isnull=True).update(revoked_at=now))


@transaction.atomic
def change_limits(*, api_key: ApiKey, events_per_second: int | None, burst_events: int | None) -> ApiKey:
    """Holds for the next request. None stands for what the installation allows."""
    api_key = ApiKey.objects.select_for_update().get(pk=api_key.pk)
    limits = {"events_per_second": events_per_second, "burst_events": burst_events}
    changes = {
        name: [str(getattr(api_key, name)), str(limit)]
        for name, limit in limits.items()
        if getattr(api_key, name) != limit
    }
    if changes:
        api_key.events_per_second, api_key.burst_events = events_per_second, burst_events
        api_key.save(update_fields=list(limits))
        record(action="api_key.limits_changed", target=api_key, changes=changes)
    return api_key


def slug_of(key: str) -> str | None:
    """Read the tenant out of a key, or None when it is no key of ours."""
    if not (key.isascii() and key.isprintable()):
        return None
    parts = key.split("_")
    expected = 4
    if len(parts) != expected or parts[0] != "ch" or parts[1] not in ("live", "test"):
        return None
    return parts[2]


def find_api_key(*, key: str) -> ApiKey | None:
    """Look the key up in the schema that is entered, and note that it was used."""
    api_key = ApiKey.objects.filter(key_hash=digest(key), revoked_at__isnull=True).first()
    if api_key is not None:
        note_use([api_key])
    return api_key


def note_use(api_keys: Collection[ApiKey]) -> None:
    now = clock.real_now()
    for api_key in api_keys:
        if api_key.last_used_at is None or now - api_key.last_used_at > LAST_USED_EVERY:
            stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - LAST_USED_EVERY)
            ApiKey.objects.filter(stale, pk=api_key.pk).update(last_used_at=now)


def digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
