"""`manage.py read_usage_archive --tenant acme 12`: check an archive and print its events, one JSON object a line."""

import hashlib
import json
from argparse import ArgumentParser
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.core.text import instant_text
from apps.usage.management.of_tenant import add_tenant_argument, entered_tenant
from apps.usage.models import ArchivedPartition
from apps.usage.services import archive_files

INSTANTS = ("timestamp", "received_at", "voided_at")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Command(BaseCommand):
    help = (
        "Print the events of an archive as NDJSON, as they would be sent to the API, or with --all everything "
        "that is known of them. Without a number: list the archives. The checksum is compared first."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_tenant_argument(parser)
        parser.add_argument("archive", nargs="?", type=int, help="the number of the archive, as it is listed")
        parser.add_argument("--all", action="store_true", help="readings, revision and times besides")
        parser.add_argument("--customer", default="", help="only events of this external ID")

    def handle(self, *args: Any, **options: Any) -> None:
        with entered_tenant(options["tenant"]):
            if options["archive"] is None:
                self.list_all()
                return
            record = ArchivedPartition.objects.filter(pk=options["archive"]).first()
            if record is None:
                raise CommandError(f"There is no archive {options['archive']}.")
            path = archive_files.directory() / record.file_name
            if not path.exists():
                raise CommandError(f"{path} is missing.")
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != record.sha256:
                    raise CommandError(f"{path} is not the file that was written: its checksum differs.")
            for row in archive_files.format_of(record.format).rows(path):
                if options["customer"] in ("", row["customer"]):
                    self.stdout.write(line_of(row, everything=options["all"]))

    def list_all(self) -> None:
        for one in ArchivedPartition.objects.order_by("starts_at", "pk"):
            self.stdout.write(
                f"{one.pk}\t{one.file_name}\t{one.row_count} events\t{one.byte_size} bytes\t{one.sha256}"
            )


def line_of(row: dict[str, Any], *, everything: bool) -> str:
    """Properties and readings are JSON already and are put in as they are, so that no number changes."""
    row = row | {name: text_of(row[name]) for name in INSTANTS}
    names = ["id", "event", "customer", "timestamp"]
    names += ["source"] if row["source"] else []
    parts = [f"{json.dumps(name)}: {json.dumps(row[name])}" for name in names]
    parts.append(f'"properties": {one_line(row["properties"])}')
    if everything:
        parts += [f'"readings": {one_line(row["readings"])}', f'"revision": {int(row["revision"])}']
        parts += [f"{json.dumps(name)}: {json.dumps(row[name])}" for name in INSTANTS[1:]]
    return "{" + ", ".join(parts) + "}"


def one_line(text: str) -> str:
    """A JSON text has line breaks between its parts alone."""
    return text.replace("\n", " ")


def text_of(value: Any) -> str | None:
    """Parquet gives instants, CSV microseconds since 1970."""
    if not value:
        return None
    return instant_text(value if isinstance(value, datetime) else EPOCH + timedelta(microseconds=int(value)))
