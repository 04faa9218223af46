"""Who did what, when and why. Rows are only ever added; a trigger refuses everything else."""

from django.db import models

from apps.core import clock


class AuditEntry(models.Model):
    class ActorKind(models.TextChoices):
        STAFF = "staff", "Staff"
        API_KEY = "api_key", "API key"
        SYSTEM = "system", "System"

    # Real time, also in a sandbox: the record is of people, not of billing.
    at = models.DateTimeField(default=clock.real_now)
    actor_kind = models.CharField(max_length=10, choices=ActorKind.choices)
    # A copy, not a reference: the entry outlives the user and the key.
    actor = models.CharField(max_length=254, blank=True)
    # Noun and past participle: `invoice.finalized`.
    action = models.CharField(max_length=64)
    target_type = models.CharField(max_length=64)
    target_id = models.CharField(max_length=64)
    target_label = models.CharField(max_length=250)
    reason = models.TextField(blank=True)
    changes = models.JSONField(default=dict, blank=True)
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = "audit entry"
        verbose_name_plural = "audit log"
        indexes = [
            models.Index(fields=["target_type", "target_id"]),
            models.Index(fields=["action", "-id"]),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.target_label}"
