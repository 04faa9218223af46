"""A file of events on its way in, piece by piece."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.core.models import PublicModel


class UsageImport(PublicModel):
    """`position` records of the file have been taken in; whoever goes on, goes on from there.

    It is stored after each piece. A piece that was taken in just before a kill is taken in again: its events
    are known by then and answer duplicate.
    """

    ID_PREFIX: ClassVar[str] = "imp"

    class Format(models.TextChoices):
        CSV = "csv", "CSV"
        NDJSON = "ndjson", "NDJSON"
        PARQUET = "parquet", "Parquet"

    class Status(models.TextChoices):
        UPLOADED = "uploaded", "Uploaded"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    file_name = models.CharField("file", max_length=255)
    format = models.CharField(max_length=7, choices=Format.choices)
    sha256 = models.CharField("SHA-256", max_length=64)
    byte_size = models.BigIntegerField("size")
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.UPLOADED)
    # Takes the place of the limit for backdating.
    earliest_at = models.DateTimeField(null=True, blank=True)
    position = models.BigIntegerField(default=0)
    bytes_read = models.BigIntegerField(default=0)
    # 0 for an import that was begun before lines were counted.
    lines_read = models.BigIntegerField(default=0, db_default=0)
    accepted = models.BigIntegerField(default=0)
    duplicates = models.BigIntegerField(default=0)
    conflicts = models.BigIntegerField(default=0)
    quarantined = models.BigIntegerField(default=0)
    rejected = models.BigIntegerField(default=0)
    # How much of the report belongs to `position`; what stands behind it is written again.
    report_size = models.BigIntegerField(default=0)
    # Why it could not go on.
    problem = models.TextField(blank=True)
    actor_kind = models.CharField(max_length=20)
    actor = models.CharField(max_length=254, blank=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "usage import"
        ordering = ["-id"]
        permissions = [("run_usageimport", "Can import usage from files")]
        indexes = [models.Index(fields=["sha256"], name="usage_import_same_file")]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    position=models.F("accepted")
                    + models.F("duplicates")
                    + models.F("conflicts")
                    + models.F("quarantined")
                    + models.F("rejected")
                ),
                name="usage_import_counts_every_record",
            ),
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def is_unfinished(self) -> bool:
        """Whether some of the file may still be taken in."""
        return self.status != self.Status.DONE

    @property
    def percent(self) -> int:
        if self.status == self.Status.DONE:
            return 100
        return min(99, 100 * self.bytes_read // max(1, self.byte_size))
