"""`manage.py backfill_meter acme input_tokens`: let a meter read past events, in the foreground."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django_tenants.utils import get_tenant_model, tenant_context

from apps.catalog.models import Meter
from apps.core import clock
from apps.core.errors import Refused
from apps.tenants.management.commands.create_tenant import instant
from apps.usage.services.meter_backfill.request import request_backfill
from apps.usage.services.meter_backfill.run import run_backfill


class Command(BaseCommand):
    help = "Let a meter read events that came in before it, and show how far it is."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("tenant", help="its slug")
        parser.add_argument("meter", help="its code")
        parser.add_argument(
            "--from", dest="starts_at", type=instant, help="ISO 8601 (default: the first event)"
        )
        parser.add_argument("--until", dest="ends_at", type=instant, help="ISO 8601, not included")

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = get_tenant_model().objects.filter(slug=options["tenant"]).first()
        if tenant is None:
            raise CommandError(f"There is no tenant {options['tenant']!r}.")
        with tenant_context(tenant):
            meter = Meter.objects.filter(code=options["meter"]).first()
            if meter is None:
                raise CommandError(f"There is no meter {options['meter']!r}.")
            try:
                backfill = request_backfill(
                    meter=meter,
                    starts_at=options["starts_at"],
                    ends_at=options["ends_at"],
                    now=clock.now(),
                )
            except Refused as refused:
                raise CommandError(refused.message) from refused
            done = run_backfill(backfill_id=backfill.pk, now=clock.now())
        self.stdout.write(
            f"{done.get_status_display()}: {done.events_seen:,} events gone over, {done.readings_added:,} readings"
            f" added, {done.events_skipped:,} skipped. {done.error}".rstrip()
        )
