"""`manage.py close_periods`: bill now what is due, as beat does every minute."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django_tenants.utils import tenant_context

from apps.core import clock, request_context
from apps.invoices.due import parked_subscriptions
from apps.invoices.services.close_periods import close_due_periods, open_due_subscriptions
from apps.tenants.management.commands.create_tenant import instant
from apps.tenants.selectors import serving_tenants


class Command(BaseCommand):
    help = "Bill the openings and periods that are due, of one tenant or of all; the same as beat does."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", metavar="SLUG", help="of this one alone")
        parser.add_argument(
            "--now", type=instant, help="what ended until then, ISO 8601 (default: the tenant's clock)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        tenants = list(serving_tenants())
        if options["tenant"]:
            tenants = [one for one in tenants if one.slug == options["tenant"]]
            if not tenants:
                raise CommandError(f"There is no tenant {options['tenant']!r}.")
        for tenant in tenants:
            with tenant_context(tenant), request_context.entered(actor_kind="system", actor="command line"):
                clock_at = clock.now()
                now = options["now"] or clock_at
                if now > clock_at and options["tenant"]:
                    raise CommandError(
                        f"For {tenant.slug} it is {clock_at.isoformat()}: that is still to come."
                    )
                # Of all tenants a sandbox may be behind: nothing is billed that is not over by its own clock.
                now = min(now, clock_at)
                opened, closed = open_due_subscriptions(now), close_due_periods(now)
                parked = parked_subscriptions().count()
            self.stdout.write(
                f"{tenant.slug}: {opened} openings and {closed} periods billed, {parked} parked."
            )
