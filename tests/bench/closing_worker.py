"""One closing worker of the benchmark: waits for a line, closes what is due, tells what that cost."""

import json
import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import django


def main(now: datetime) -> None:
    from django.db import connection  # noqa: PLC0415
    from django_tenants.utils import tenant_context  # noqa: PLC0415

    from apps.invoices.services.close_periods import close_due_periods  # noqa: PLC0415
    from apps.tenants.models import Tenant  # noqa: PLC0415

    queries = 0

    def counted(execute: Callable[..., Any], *arguments: Any) -> Any:
        nonlocal queries
        queries += 1
        return execute(*arguments)

    with tenant_context(Tenant.objects.get(slug="bench")), connection.execute_wrapper(counted):
        print("ready", flush=True)
        sys.stdin.readline()
        began = time.process_time()
        closed = close_due_periods(now)
        spent = time.process_time() - began
    print(json.dumps({"closed": closed, "queries": queries, "cpu_seconds": spent}), flush=True)


if __name__ == "__main__":
    django.setup()
    main(datetime.fromisoformat(sys.argv[1]))
