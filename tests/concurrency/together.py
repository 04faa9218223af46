"""Several at once: each in a thread with a connection of its own, all let go at the same moment."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any, TypeVar

from django.db import connections
from django_tenants.utils import tenant_context

from apps.tenants.models import Tenant

T = TypeVar("T")
SECONDS = 60


def together(tenant: Tenant, calls: Sequence[Callable[[], T]]) -> list[T | Exception]:
    """What each call returned or raised, in their order. A deadlock is an exception like any other."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        # Each thread has a tenant object of its own: entering a schema is not shared.
        mine = Tenant.objects.get(pk=tenant.pk)
        try:
            with tenant_context(mine):
                barrier.wait(SECONDS)
                return call()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls, timeout=SECONDS))


def returned(results: Sequence[T | Exception]) -> list[T]:
    """The results, when nothing was raised."""
    for result in results:
        if isinstance(result, Exception):
            raise result
    return list(results)  # type: ignore[arg-type]
