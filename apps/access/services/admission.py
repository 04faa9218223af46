"""Who may come in, asked once for many requests at a time: the tenant's state and its keys in one statement.

A process remembers only which tenant a host and a slug stand for, and asks each time whether they still do. So a
revoked key, a moved clock and a host that was given away hold from the next question on, in every process.
"""

from collections.abc import Collection
from copy import copy
from dataclasses import dataclass

from django.conf import settings
from django.db import connection

from apps.access.models import ApiKey
from apps.access.services.api_keys import note_use
from apps.core import schema
from apps.tenants.models import Tenant
from apps.tenants.selectors import tenant_by_host, tenant_by_slug

ADMIT = """
SELECT tenant.clock_at, key.id, key.prefix, key.key_hash, key.scopes, key.last_used_at, key.events_per_second,
       key.burst_events
FROM tenants_tenant AS tenant
LEFT JOIN access_apikey AS key ON key.key_hash = ANY(%(hashes)s) AND key.revoked_at IS NULL
WHERE tenant.id = %(tenant)s AND tenant.provisioned_at IS NOT NULL
  AND (%(is_platform)s OR EXISTS (SELECT FROM tenants_domain WHERE tenant_id = tenant.id AND domain = %(host)s))
"""
# In the order of the model's, as from_db wants them.
FIELDS = ["id", "prefix", "key_hash", "scopes", "last_used_at", "events_per_second", "burst_events"]


@dataclass(frozen=True, slots=True)
class Door:
    """Where a request knocks: a host without its port, and the slug that its key names."""

    host: str
    slug: str


_tenants: dict[Door, Tenant] = {}


def enter(*, door: Door, key_hashes: Collection[bytes]) -> dict[bytes, ApiKey]:
    """Enter the schema of the tenant and return its keys by their hashes, with the fields that decide.

    None where nobody answers at the door. Whoever entered goes on in this thread, or calls `leave`.
    """
    tenant = _tenants.get(door) or tenant_at(door)
    if tenant is None:
        return {}
    if getattr(schema.current_tenant(), "pk", None) != tenant.pk:
        # Each thread has a tenant of its own: what its clock says is this thread's reading.
        schema.enter_tenant(copy(tenant))
    with connection.cursor() as cursor:
        cursor.execute(
            ADMIT,
            {
                "hashes": list(key_hashes),
                "tenant": tenant.pk,
                "is_platform": door.host in settings.PLATFORM_HOSTS,
                "host": door.host,
            },
        )
        rows = cursor.fetchall()
    if not rows:
        _tenants.pop(door, None)
        leave()
        return {}
    _tenants[door] = tenant
    schema.current_tenant().clock_at = rows[0][0]
    api_keys = [ApiKey.from_db(connection.alias, FIELDS, row[1:]) for row in rows if row[1] is not None]
    note_use(api_keys)
    return {bytes(api_key.key_hash): api_key for api_key in api_keys}


def leave() -> None:
    """Give the connection back to the pool, and forget the tenant."""
    schema.enter_public()
    connection.close()


def tenant_at(door: Door) -> Tenant | None:
    """On the platform's host the key says whose it is; a tenant's host takes its own keys alone."""
    schema.enter_public()
    if door.host in settings.PLATFORM_HOSTS:
        return tenant_by_slug(door.slug)
    tenant = tenant_by_host(door.host)
    return tenant if tenant is not None and tenant.slug == door.slug else None
