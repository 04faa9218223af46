"""Try the first records of a file: the verdicts they would get, and nothing is stored."""

from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from django.db import transaction

from apps.core.errors import Invalid
from apps.usage.models import UsageImport
from apps.usage.services.imports import files
from apps.usage.services.imports.records import UnreadableFile
from apps.usage.services.imports.take import CHUNK, Taken, take


@dataclass(frozen=True, slots=True)
class Tried:
    """`has_more` says that the file goes on behind what was tried."""

    taken: Taken
    record_count: int
    has_more: bool


def try_import(*, run: UsageImport, now: datetime) -> Tried:
    """Take in the first records in a transaction that is rolled back. Raises `Invalid` unreadable_file."""
    try:
        records = list(islice(files.records_in(files.path_of(run), run.format), CHUNK + 1))
    except UnreadableFile as error:
        raise Invalid("unreadable_file", str(error)) from error
    tried = records[:CHUNK]
    with transaction.atomic():
        taken = take(tried, now=now, earliest_at=run.earliest_at)
        transaction.set_rollback(True)
    return Tried(taken, len(tried), len(records) > CHUNK)
