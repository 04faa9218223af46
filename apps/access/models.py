"""Staff users and API keys. Both exist once in every schema and are worth nothing in another."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from apps.core import clock


class StaffUserQuerySet(BaseUserManager["StaffUser"]):
    """Creates users the way Django's commands ask for it."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "StaffUser":
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "StaffUser":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "StaffUser":
        return self.get(email__iexact=username)


class StaffUser(AbstractBaseUser, PermissionsMixin):
    """A person who signs in to the back office, by email."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=150, blank=True)
    is_staff = models.BooleanField("may sign in to the admin", default=True)
    is_active = models.BooleanField("active", default=True)
    date_joined = models.DateTimeField(default=clock.real_now, editable=False)

    objects = StaffUserQuerySet()
    USERNAME_FIELD = "email"

    class Meta:
        ordering = ["email"]
        constraints = [models.UniqueConstraint(Lower("email"), name="staff_email_once_whatever_the_case")]

    def __str__(self) -> str:
        return self.name or self.email

    def get_full_name(self) -> str:
        return str(self)

    def get_short_name(self) -> str:
        return self.name.split(" ")[0] if self.name else self.email


class Scope(models.TextChoices):
    """What a key may do. A view names the one it asks for."""

    EVENTS_WRITE = "events:write", "Report usage"
    USAGE_READ = "usage:read", "Read usage and upcoming invoices"
    USAGE_WRITE = "usage:write", "Correct usage"
    CUSTOMERS_READ = "customers:read", "Read customers and subscriptions"
    CUSTOMERS_WRITE = "customers:write", "Manage customers and subscriptions"
    CATALOG_READ = "catalog:read", "Read meters, plans and prices"
    CATALOG_WRITE = "catalog:write", "Manage meters, plans and prices"
    INVOICES_READ = "invoices:read", "Read invoices"
    INVOICES_WRITE = "invoices:write", "Finalize invoices"
    TEST_CLOCK = "test_clock", "Move the sandbox clock"


class ApiKey(models.Model):
    """A key of an integrator. Only its hash is kept; the key itself is shown once, when it is made."""

    name = models.CharField(max_length=100)
    # The readable head of the key, e.g. `ch_live_acme_7kq2`: enough to recognise it, too little to use it.
    prefix = models.CharField(max_length=64, editable=False)
    key_hash = models.BinaryField(max_length=32, unique=True, editable=False)
    scopes = ArrayField(models.CharField(max_length=32, choices=Scope.choices))
    created_at = models.DateTimeField(default=clock.real_now, editable=False)
    # Written at most once a minute: a key in use must not make every request a write.
    last_used_at = models.DateTimeField(null=True, editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)
    # How fast usage may be reported. Without: as the setting INGESTION_RATE_LIMIT says.
    events_per_second = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="Usage events a second, in the long run. Empty: the installation's limit.",
    )
    burst_events = models.PositiveIntegerField(
        "burst",
        null=True,
        blank=True,
        help_text="Events at once after a rest. Empty: a second's worth, and at least one largest batch.",
    )

    class Meta:
        ordering = ["-created_at"]
        verbose_name = "API key"
        verbose_name_plural = "API keys"
        constraints = [
            models.CheckConstraint(
                condition=Q(events_per_second__isnull=True) | Q(events_per_second__gte=1),
                name="api_key_rate_is_positive",
            ),
            models.CheckConstraint(
                condition=Q(burst_events__isnull=True) | Q(burst_events__gte=1),
                name="api_key_burst_is_positive",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class RateBucket(models.Model):
    """What a limited key may still send at once. The table is unlogged: after a crash all buckets are full."""

    api_key = models.OneToOneField(ApiKey, on_delete=models.PROTECT, primary_key=True)
    # Microseconds times a whole rate: six decimals are exact.
    tokens = models.DecimalField(max_digits=38, decimal_places=6)
    filled_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.api_key}: {self.tokens}"
