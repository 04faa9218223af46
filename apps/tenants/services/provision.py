"""Make a tenant: its row, host, schema and whatever each app wants to exist from the first minute.

Other apps add steps (`add_provisioning_step`, from their `ready()`): they live above this one and are not
imported here. A provisioning that was interrupted is done anew by asking again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection, transaction
from django_tenants.utils import schema_context, schema_exists, tenant_context
from psycopg.sql import SQL, Identifier

from apps.core import clock
from apps.core.errors import Invalid, Refused
from apps.core.locks import session_lock
from apps.tenants.models import RESERVED_SLUGS, SLUG, Domain, Tenant


@dataclass(frozen=True, slots=True)
class ProvisionRequest:
    """What the first staff user shall be; an empty password means a random one."""

    staff_email: str
    staff_name: str = ""
    staff_password: str = ""


Step = Callable[[Tenant, ProvisionRequest], dict[str, Any]]
_steps: list[Step] = []


def add_provisioning_step(step: Step) -> None:
    """`step` runs inside the new schema; what it returns is part of the answer, shown once."""
    _steps.append(step)


def provision_tenant(
    *,
    slug: str,
    request: ProvisionRequest,
    name: str = "",
    is_sandbox: bool = False,
    at: datetime | None = None,
) -> dict[str, Any]:
    """Create the tenant `slug` and return what its owner must know, secrets included.

    `at` is where a sandbox's clock starts (default: now). Raises `Invalid` for a bad slug and `Refused`
    tenant_exists. The migrations of the schema are not one transaction; `provisioned_at` is set last.
    """
    refuse_bad_slug(slug)
    if at is not None and not is_sandbox:
        raise Invalid("live_clock", "Only a sandbox has a clock to set; add --sandbox.", param="/at")
    clock_at = (at or clock.real_now()) if is_sandbox else None
    with schema_context("public"), session_lock(f"provision_tenant:{slug}") as is_held:
        if not is_held:
            raise Refused("provisioning", f"Somebody else is making {slug!r} at this moment.", param="/slug")
        tenant = claim_tenant(slug=slug, name=name, is_sandbox=is_sandbox, clock_at=clock_at)
        call_command("migrate_schemas", schema_name=tenant.schema_name, interactive=False, verbosity=0)
        answer: dict[str, Any] = {
            "tenant": tenant.slug,
            "name": tenant.name,
            "schema": tenant.schema_name,
            "mode": tenant.mode,
            "clock_at": tenant.clock_at.isoformat() if tenant.clock_at else None,
            "host": f"{slug}.{settings.TENANT_BASE_DOMAIN}",
        }
        with tenant_context(tenant), transaction.atomic():
            for step in _steps:
                answer |= step(tenant, request)
            Tenant.objects.filter(pk=tenant.pk).update(provisioned_at=clock.real_now())
    return answer


@transaction.atomic
def claim_tenant(*, slug: str, name: str, is_sandbox: bool, clock_at: datetime | None) -> Tenant:
    """The tenant's row, host and empty schema.

    What an interrupted provisioning left is thrown away: a kill may fall between a migration and the record of
    it, and nobody was served from that schema. A schema of that name that is no tenant's is never touched.
    """
    schema = Identifier(slug.replace("-", "_"))
    tenant: Tenant
    tenant, is_new = Tenant.objects.select_for_update().get_or_create(
        slug=slug,
        defaults={
            "schema_name": slug.replace("-", "_"),
            "name": name or slug.replace("-", " ").title(),
            "is_sandbox": is_sandbox,
            "clock_at": clock_at,
        },
    )
    if tenant.provisioned_at is not None:
        raise Refused("tenant_exists", f"There is a tenant {slug!r} already.", param="/slug")
    with connection.cursor() as cursor:
        if not is_new:
            Tenant.objects.filter(pk=tenant.pk).update(is_sandbox=is_sandbox, clock_at=clock_at)
            tenant.refresh_from_db()
            cursor.execute(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(schema))
        elif schema_exists(tenant.schema_name):
            raise Refused(
                "schema_exists",
                f"The database has a schema {tenant.schema_name!r} that is no tenant's.",
                param="/slug",
            )
        cursor.execute(SQL("CREATE SCHEMA {}").format(schema))
    Domain.objects.get_or_create(
        domain=f"{slug}.{settings.TENANT_BASE_DOMAIN}", defaults={"tenant": tenant, "is_primary": True}
    )
    return tenant


def discard_interrupted() -> None:
    """Drop the tenants whose provisioning was interrupted. Those that are being made at this moment are left."""
    for tenant in Tenant.objects.filter(provisioned_at__isnull=True):
        with session_lock(f"provision_tenant:{tenant.slug}") as is_held, transaction.atomic():
            still = Tenant.objects.select_for_update().filter(pk=tenant.pk, provisioned_at__isnull=True)
            if is_held and still.exists():
                with connection.cursor() as cursor:
                    cursor.execute(
                        SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(Identifier(tenant.schema_name))
                    )
                Domain.objects.filter(tenant=tenant).delete()
                still.delete()


def refuse_bad_slug(slug: str) -> None:
    try:
        SLUG(slug)
    except ValidationError as error:
        raise Invalid("invalid_slug", " ".join(error.messages), param="/slug") from error
    if slug in RESERVED_SLUGS or slug.startswith("pg-"):
        raise Invalid("invalid_slug", f"{slug!r} is reserved; take another slug.", param="/slug")
