"""Tenants and their hosts: the only business rows of the public schema."""

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django_tenants.models import DomainMixin, TenantMixin

from apps.core import clock

# A slug is a DNS label, a part of the API key and, with "-" as "_", the schema's name.
SLUG = RegexValidator(
    r"\A[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?\Z",
    "Use 1 to 40 lower-case letters, digits and hyphens, starting with a letter and not ending with a hyphen.",
)
RESERVED_SLUGS = frozenset(
    {"public", "www", "api", "admin", "app", "static", "localhost", "information-schema"}
)


class Tenant(TenantMixin):
    """One business that bills its customers. A sandbox is a tenant whose clock stands still until it is moved."""

    slug = models.CharField(max_length=40, unique=True, validators=[SLUG])
    name = models.CharField(max_length=200)
    is_sandbox = models.BooleanField("sandbox", default=False)
    # The sandbox's present instant. Moves only forward (services.advance_clock); live tenants have none.
    clock_at = models.DateTimeField("test clock", null=True, blank=True)
    created_at = models.DateTimeField(default=clock.real_now, editable=False)
    # Set last: a tenant whose provisioning was interrupted serves nobody until a re-run has finished it.
    provisioned_at = models.DateTimeField(null=True, editable=False)

    # Schemas are made by services.provision_tenant, never by save() and never dropped by delete().
    auto_create_schema = False
    auto_drop_schema = False

    class Meta:
        ordering = ["slug"]
        constraints = [
            models.CheckConstraint(
                condition=Q(is_sandbox=True, clock_at__isnull=False)
                | Q(is_sandbox=False, clock_at__isnull=True),
                name="tenant_clock_only_in_sandbox",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def mode(self) -> str:
        return "sandbox" if self.is_sandbox else "live"


class Domain(DomainMixin):
    """A host name at which a tenant's back office answers."""
