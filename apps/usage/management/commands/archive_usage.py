"""`manage.py archive_usage --tenant acme`: archive and drop what may go, now and without a limit of time."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.core import clock
from apps.usage.management.of_tenant import add_tenant_argument, entered_tenant
from apps.usage.services import retention


class Command(BaseCommand):
    help = (
        "Archive and drop the partitions of events that are older than the tenant keeps them and that nobody "
        "needs any more. The same as the daily check, for partitions that take longer than a task may."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_tenant_argument(parser)
        parser.add_argument("--dry-run", action="store_true", help="say what would go, and drop nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        with entered_tenant(options["tenant"]):
            days = retention.retention_days()
            if days is None:
                raise CommandError("This tenant keeps its events for ever; see the usage settings.")
            now = clock.now()
            if options["dry_run"]:
                self.say(retention.would_go(now=now, retention_days=days))
                return
            done = retention.check_now(now)
        if done is None:
            raise CommandError("Another process is archiving this tenant's events.")
        self.stdout.write(f"{done.dropped} partitions archived and dropped.")
        if done.problem:
            raise CommandError(done.problem)

    def say(self, going: retention.WouldGo) -> None:
        held = f" (held by {going.cutoff.held_by})" if going.cutoff.held_by else ""
        self.stdout.write(
            f"{going.partitions} partitions with about {going.event_count:,} events end before"
            f" {going.cutoff.at.isoformat()}{held}."
        )
