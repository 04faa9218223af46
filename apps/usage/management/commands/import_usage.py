"""`manage.py import_usage events.csv --tenant acme`: take in a file of events, and show how far it is."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.core import clock
from apps.core.errors import Refused
from apps.tenants.management.commands.create_tenant import instant
from apps.usage.management.of_tenant import add_tenant_argument, entered_tenant
from apps.usage.models import UsageImport
from apps.usage.services.imports import files, request
from apps.usage.services.imports.run import run_import
from apps.usage.services.imports.take import COUNTERS
from apps.usage.services.imports.try_out import try_import

SHOWN_LINES = 20


class Command(BaseCommand):
    help = (
        "Take in a CSV, NDJSON or Parquet file of usage events, with the verdicts that the API gives. A file that "
        "was taken in partly is gone on with; taking one in again changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        add_tenant_argument(parser)
        parser.add_argument(
            "--format", choices=UsageImport.Format.values, default="", help="default: by the name"
        )
        parser.add_argument(
            "--since", type=instant, help="take events from then on, instead of the limit for backdating"
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="the verdicts on the first 1,000, storing nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        with entered_tenant(options["tenant"]):
            try:
                run = self.import_of(path, options)
                if options["dry_run"]:
                    self.try_out(run)
                    return
                self.warn_of_the_same(run)
                request.start_import(run=run, now=clock.now())
            except OSError as error:
                raise CommandError(f"{path} can't be read: {error.strerror}.") from error
            except Refused as refused:
                raise CommandError(refused.message) from refused
            run_import(import_id=run.pk, listen=self.show)
            run.refresh_from_db()
            self.show(run)
            self.tell_the_end(run)

    def import_of(self, path: Path, options: dict[str, Any]) -> UsageImport:
        """The one that was begun with this file, if there is one; a dry run and a finished one begin anew."""
        run = request.create_import(
            file_name=path.name,
            pieces=files.pieces_of(path),
            format_name=options["format"],
            earliest_at=options["since"],
            now=clock.now(),
        )
        begun = request.begun_with(run)
        if begun is None or options["dry_run"]:
            return run
        request.discard_import(run=run)
        self.stdout.write(f"Going on behind record {begun.position:,} ({begun.public_id}).")
        return begun

    def try_out(self, run: UsageImport) -> None:
        try:
            tried = try_import(run=run, now=clock.now())
        finally:
            request.discard_import(run=run)
        for line in tried.taken.lines[:SHOWN_LINES]:
            self.stdout.write(f"line {line.line}: {line.status}: {line.message} {line.param}".rstrip())
        of_all = "the first " if tried.has_more else ""
        self.stdout.write(
            f"Nothing was stored. Of {of_all}{tried.record_count:,}: {words(tried.taken.counts)}."
        )

    def warn_of_the_same(self, run: UsageImport) -> None:
        former = request.same_file(run)
        if former is not None and former.pk != run.pk:
            self.stderr.write(
                f"This file was taken in before ({former.public_id}); what is known answers duplicate."
            )

    def show(self, run: UsageImport) -> None:
        counts = {name: getattr(run, name) for name in COUNTERS.values()}
        self.stdout.write(f"{run.percent} %: {run.position:,} records: {words(counts)}")

    def tell_the_end(self, run: UsageImport) -> None:
        if run.report_size:
            self.stdout.write(f"What was not accepted: {files.report_path_of(run)}")
        if run.status == UsageImport.Status.RUNNING:
            raise CommandError("Another process is at work on this file.")
        if run.status != UsageImport.Status.DONE:
            raise CommandError(f"{run.get_status_display()}: {run.problem}".rstrip(": "))


def words(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())
