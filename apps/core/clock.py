"""The one place that reads the time.

A live tenant lives in real time. A sandbox tenant has a test clock: its time stands still at
`Tenant.clock_at` and moves only when somebody advances it, so that a year of billing can be tried in
a second. Whoever works for a tenant has entered its schema, and so the connection knows the clock.
"""

from datetime import UTC, datetime

from apps.core.schema import current_tenant


def now() -> datetime:
    """Return the present instant (UTC) of the tenant whose schema is entered."""
    frozen = getattr(current_tenant(), "clock_at", None)
    return frozen if frozen is not None else real_now()


def real_now() -> datetime:
    """Return the machine's instant (UTC), whatever the tenant: for sessions, keys and logs, never for money."""
    return datetime.now(UTC)
