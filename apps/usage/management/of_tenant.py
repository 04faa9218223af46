"""Commands that work for one tenant: `--tenant` names it by its slug."""

from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError
from django_tenants.utils import tenant_context

from apps.core import request_context
from apps.tenants.selectors import tenant_by_slug


def add_tenant_argument(parser: ArgumentParser) -> None:
    parser.add_argument("--tenant", required=True, metavar="SLUG", help="whose usage it is")


@contextmanager
def entered_tenant(slug: str) -> Iterator[None]:
    """Enter the tenant's schema; whoever calls a command acts as the system. Raises `CommandError`."""
    tenant = tenant_by_slug(slug)
    if tenant is None:
        raise CommandError(f"There is no tenant {slug!r}.")
    with tenant_context(tenant), request_context.entered(actor_kind="system", actor="command line"):
        yield
