"""Make, start, stop and go on with imports. The work itself is `run`."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from apps.audit.services.record import record
from apps.core import request_context
from apps.core.errors import Invalid, Refused
from apps.core.models import random_id
from apps.usage.models import ArchivedPartition, UsageImport
from apps.usage.services.imports import files

Status = UsageImport.Status
MAY_START = (Status.UPLOADED, Status.FAILED, Status.CANCELLED, Status.RUNNING)


def create_import(
    *,
    file_name: str,
    pieces: Iterable[bytes],
    now: datetime,
    format_name: str = "",
    earliest_at: datetime | None = None,
) -> UsageImport:
    """Store a file. Nothing of it is taken in yet.

    Raises `Invalid` unknown_format, unreadable_file, and earliest_is_archived when it reaches back to events
    whose keys are gone.
    """
    kept_from = ArchivedPartition.events_kept_from()
    if earliest_at is not None and kept_from is not None and earliest_at < kept_from:
        raise Invalid(
            "earliest_is_archived",
            f"Events before {kept_from.isoformat()} are archived; repeats of them could not be told.",
            param="/earliest_at",
        )
    context = request_context.current()
    run = UsageImport(
        public_id=random_id(UsageImport.ID_PREFIX),
        file_name=file_name[:255],
        format=format_name or files.format_of(file_name),
        earliest_at=earliest_at,
        actor_kind=context.actor_kind,
        actor=context.actor,
        created_at=now,
    )
    path = files.path_of(run)
    try:
        stored = files.store(pieces, path)
        files.check(path, run.format)
        run.sha256, run.byte_size = stored.sha256, stored.byte_size
        with transaction.atomic():
            run.save()
            record(action="usage_import.created", target=run, changes={"sha256": ["", run.sha256]})
    except BaseException:
        # Whatever it was: a file without a row would stay for ever.
        path.unlink(missing_ok=True)
        raise
    return run


def same_file(run: UsageImport) -> UsageImport | None:
    """Another import of the same bytes, the latest one that took something in."""
    others = UsageImport.objects.filter(sha256=run.sha256, position__gt=0).exclude(pk=run.pk)
    return others.order_by("-id").first()


@transaction.atomic
def start_import(*, run: UsageImport, now: datetime) -> bool:
    """Let it run, from where it stopped. False when it runs already: a second worker finds it locked.

    Raises `Refused` import_is_done.
    """
    found = UsageImport.objects.select_for_update().get(pk=run.pk)
    if found.status not in MAY_START:
        raise Refused("import_is_done", "All of the file has been taken in.")
    was_running = found.status == Status.RUNNING
    found.status = Status.RUNNING
    found.started_at = found.started_at or now
    found.finished_at = None
    found.problem = ""
    found.save(update_fields=["status", "started_at", "finished_at", "problem"])
    if not was_running:
        record(action="usage_import.started", target=found, changes={"position": ["", str(found.position)]})
    run.refresh_from_db()
    return not was_running


@transaction.atomic
def cancel_import(*, run: UsageImport, now: datetime) -> bool:
    """What has been taken in stays. False when it is not running or waiting any more."""
    stopped = UsageImport.objects.filter(pk=run.pk, status__in=[Status.UPLOADED, Status.RUNNING]).update(
        status=Status.CANCELLED, finished_at=now
    )
    if stopped:
        record(action="usage_import.cancelled", target=run)
    run.refresh_from_db()
    return bool(stopped)


def begun_with(run: UsageImport) -> UsageImport | None:
    """An import of the same bytes, read in the same way, that has not come to its end."""
    others = UsageImport.objects.filter(
        sha256=run.sha256, format=run.format, earliest_at=run.earliest_at, position__gt=0
    ).exclude(status=Status.DONE)
    return others.exclude(pk=run.pk).order_by("-id").first()


@transaction.atomic
def discard_import(*, run: UsageImport) -> None:
    """Forget an import of which nothing was taken in, and its file."""
    deleted, _ = UsageImport.objects.filter(pk=run.pk, position=0, status=Status.UPLOADED).delete()
    if deleted:
        record(action="usage_import.discarded", target=run)
        transaction.on_commit(lambda: files.path_of(run).unlink(missing_ok=True))
