"""How ingestion is doing: counters by minute, for the home page."""

from django.db import models


class IngestionMinute(models.Model):
    """What came in during the minute that begins at `bucket`, in the transactions that stored it.

    Writers spread over slots, so that they don't wait for each other's row; readers add the slots up. `late`
    events are more than an hour old on arrival; `lag_ms` adds up the age of all accepted ones, in milliseconds.
    """

    bucket = models.DateTimeField()
    slot = models.SmallIntegerField()
    batches = models.BigIntegerField(default=0)
    accepted = models.BigIntegerField(default=0)
    duplicates = models.BigIntegerField(default=0)
    conflicts = models.BigIntegerField(default=0)
    quarantined = models.BigIntegerField(default=0)
    rejected = models.BigIntegerField(default=0)
    late = models.BigIntegerField(default=0)
    lag_ms = models.BigIntegerField(default=0)
    pk = models.CompositePrimaryKey("bucket", "slot")

    class Meta:
        verbose_name = "ingestion minute"

    def __str__(self) -> str:
        return f"{self.bucket}: {self.accepted}"
