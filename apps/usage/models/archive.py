"""Partitions of events that were archived and dropped, and when the tenant was last looked through for more."""

from datetime import datetime

from django.db import models
from django.db.models import F, Max, Q


class ArchivedPartition(models.Model):
    """One file of raw events that are no longer in the database. Written in the transaction that drops them.

    A range can have several: an event that waited in quarantine may be counted long after its time, and makes
    a partition that is archived in its turn. The files of a range hold different events.
    """

    class Format(models.TextChoices):
        PARQUET = "parquet", "Parquet"
        CSV = "csv", "CSV (gzip)"

    partition = models.CharField(max_length=63)
    starts_at = models.DateTimeField("from")
    ends_at = models.DateTimeField("until")  # exclusive
    format = models.CharField(max_length=7, choices=Format.choices)
    # Inside the tenant's directory of archives.
    file_name = models.CharField("file", max_length=100, unique=True)
    row_count = models.BigIntegerField("events")
    byte_size = models.BigIntegerField("size")
    sha256 = models.CharField("SHA-256", max_length=64)
    archived_at = models.DateTimeField()

    class Meta:
        verbose_name = "archived partition"
        ordering = ["-starts_at", "-id"]
        permissions = [("download_archivedpartition", "Can download archived events")]
        constraints = [
            models.CheckConstraint(
                condition=Q(starts_at__lt=F("ends_at")), name="archived_partition_in_order"
            ),
        ]

    def __str__(self) -> str:
        return self.file_name

    @classmethod
    def events_kept_from(cls) -> datetime | None:
        """Events before this instant are not in the database any more, all or some of them; None when all are.

        Totals of whole hours and days stay right before it. A period that begins or ends inside an hour before
        it can't be answered, nor anything that has to read single events.
        """
        kept_from: datetime | None = cls.objects.aggregate(kept_from=Max("ends_at"))["kept_from"]
        return kept_from


class RetentionCheck(models.Model):
    """One row a tenant: when it was last looked through for partitions that may go, by the tenant's clock."""

    checked_at = models.DateTimeField()
    # What kept the last check from doing all it should; for staff.
    problem = models.TextField(blank=True)

    class Meta:
        verbose_name = "retention check"
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="retention_check_one_row")]

    def __str__(self) -> str:
        return f"Checked at {self.checked_at}"
