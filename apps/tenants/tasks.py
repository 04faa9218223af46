"""The heartbeat: one task in public sends one task to each tenant."""

import logging

from celery import shared_task
from django_tenants.utils import tenant_context

from apps.core import clock, jobs
from apps.core.schema import schema_name
from apps.tenants.selectors import serving_tenants

log = logging.getLogger(__name__)


@shared_task(name="tenants.run_due_jobs_everywhere")
def run_due_jobs_everywhere() -> None:
    for tenant in serving_tenants():
        with tenant_context(tenant):
            run_due_jobs.apply_async(expires=60)


@shared_task(name="tenants.run_due_jobs")
def run_due_jobs() -> None:
    """Run what is due in the tenant this task was sent from. Twice, or at once with another: the jobs allow it."""
    done = {name: count for name, count in jobs.run_due_jobs(clock.now()).items() if count}
    if done:
        log.info("due jobs of %s: %s", schema_name(), done)
