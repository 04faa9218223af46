"""Move a sandbox's clock forward, doing on the way everything that becomes due, in order."""

import time
from dataclasses import dataclass
from datetime import datetime

from apps.core import jobs
from apps.core.errors import Forbidden, Invalid, Refused
from apps.core.locks import session_lock
from apps.core.schema import current_tenant
from apps.tenants.models import Tenant

# Another worker may hold the rows that are due; it is done within moments, or its locks fall with it.
WAIT_SECONDS = 0.05
WAIT_TIMES = 200


@dataclass(frozen=True, slots=True)
class Advanced:
    clock_at: datetime
    jobs: dict[str, int]


def advance_clock(*, tenant: Tenant, to: datetime) -> Advanced:
    """Advance to `to`, an instant not before the clock. Must be called inside the tenant's schema.

    The clock stops at each due instant, the jobs due there run with that instant as their `now`, and only
    then does it go on; a kill in between leaves a clock from which the same call continues. Each job is a
    transaction of its own. Raises `Forbidden` not_a_sandbox, `Invalid` clock_backwards, `Refused`
    clock_is_advancing when a second caller comes at the same time.
    """
    if not tenant.is_sandbox or tenant.clock_at is None:
        raise Forbidden("not_a_sandbox", "Only the clock of a sandbox can be moved.")
    with session_lock(f"advance_clock:{tenant.schema_name}") as is_held:
        if not is_held:
            raise Refused(
                "clock_is_advancing", "Somebody else is advancing this clock; try again when it has arrived."
            )
        tenant.refresh_from_db()
        if to < tenant.clock_at:
            raise Invalid(
                "clock_backwards",
                f"The clock shows {tenant.clock_at.isoformat()}; it moves only forward.",
                param="/to",
            )
        done: dict[str, int] = {}
        waits = 0
        while (due := jobs.next_due_at()) is not None and due <= to:
            set_clock(tenant, max(due, tenant.clock_at))
            ran = jobs.run_due_jobs(tenant.clock_at)
            done = {name: done.get(name, 0) + count for name, count in ran.items()}
            if any(ran.values()):
                waits = 0
                continue
            waits += 1
            if waits > WAIT_TIMES:
                raise Refused(
                    "job_stuck", f"Work that is due at {due.isoformat()} can't be done; see the admin."
                )
            time.sleep(WAIT_SECONDS)
        set_clock(tenant, to)
    return Advanced(clock_at=to, jobs={name: count for name, count in done.items() if count})


def set_clock(tenant: Tenant, instant: datetime) -> None:
    """Guarded in the database: the clock of another process can only have gone further."""
    Tenant.objects.filter(pk=tenant.pk, clock_at__lte=instant).update(clock_at=instant)
    tenant.clock_at = instant
    current_tenant().clock_at = instant
