"""Base models and the record that makes a repeated POST answer as the first one did."""

import secrets
from typing import Any, ClassVar

from django.db import models

from apps.core import clock

# Crockford's base 32 in lower case: no letter that is mistaken for another when read aloud.
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
# A random byte has eight ways to become each of the 32.
LETTERS = ALPHABET.encode() * 8


def random_id(prefix: str) -> str:
    """Return `prefix_` and 20 random characters (100 bits)."""
    return f"{prefix}_{secrets.token_bytes(20).translate(LETTERS).decode()}"


class PublicModel(models.Model):
    """A row that integrators see. They know it by `public_id`; the integer key stays inside."""

    ID_PREFIX: ClassVar[str]

    public_id = models.CharField("ID", max_length=32, unique=True, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self.public_id:
            self.public_id = random_id(self.ID_PREFIX)
        super().save(*args, **kwargs)


class IdempotencyRecord(models.Model):
    """The answer that was given to a POST with an `Idempotency-Key`, written in the transaction of its effects."""

    key = models.CharField(max_length=255)
    api_key_id = models.BigIntegerField()
    request_hash = models.BinaryField(max_length=32)
    response_status = models.PositiveSmallIntegerField(null=True)
    response_body = models.BinaryField(null=True)
    created_at = models.DateTimeField(default=clock.real_now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["api_key_id", "key"], name="idempotency_key_once_per_api_key")
        ]
        indexes = [models.Index(fields=["created_at"])]

    def __str__(self) -> str:
        return self.key
