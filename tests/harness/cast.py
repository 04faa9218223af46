"""The cast: who is in the template database. Everything here is known to the tests, secrets included.

Tenants acme and globex are live, so that each test can ask "and the other tenant?"; sandbox has a clock that
stands at the beginning of 2026. Olga and Sam work for acme, Stan for globex, Petra for the platform.
"""

from datetime import UTC, datetime

from django.contrib.auth.models import Group
from django.core.management import call_command
from django_tenants.utils import schema_context

from apps.access.models import ApiKey, StaffUser
from apps.access.services.api_keys import SHOWN_OF_SECRET, digest
from apps.invoices.models import BillingSettings
from apps.tenants.services.provision import ProvisionRequest, provision_tenant
from tests.harness.databases import django_on

PASSWORD = "correct-horse-battery"
SANDBOX_STARTS_AT = datetime(2026, 1, 1, tzinfo=UTC)

OLGA = "olga@acme.example"
SAM = "sam@acme.example"
STAN = "stan@globex.example"
PETRA = "petra@platform.example"
SANDRA = "sandra@sandbox.example"

BRAKES_OFF = {
    "brake_on_negative_total": False, "brake_on_lines_above": None, "brake_on_total_factor": None,
    "brake_on_usage_gone": False, "brake_on_quarantine": False, "brake_on_unpriced": False,
    "brake_on_double_charge": False,
}  # fmt: skip

SECRETS = {"acme": "a" * 64, "globex": "b" * 64, "sandbox": "c" * 64}
KEYS = {
    slug: f"ch_{'test' if slug == 'sandbox' else 'live'}_{slug}_{secret}" for slug, secret in SECRETS.items()
}


def build_template(name: str) -> None:
    """Fill an empty database."""
    with django_on(name):
        fill()


def fill() -> None:
    call_command("migrate_schemas", shared=True, interactive=False, verbosity=0)
    with schema_context("public"):
        StaffUser.objects.create_superuser(PETRA, PASSWORD, name="Petra")
    provision("acme", OLGA, "Olga")
    provision("globex", STAN, "Stan")
    provision("sandbox", SANDRA, "Sandra", at=SANDBOX_STARTS_AT)
    with schema_context("acme"):
        sam = StaffUser.objects.create_user(SAM, PASSWORD, name="Sam")
        sam.groups.set([Group.objects.get(name="Support")])


def release_brakes() -> None:
    """Tests tell lives in which usage stops and credits exceed fees. Those about brakes pull them again."""
    BillingSettings.objects.update(**BRAKES_OFF)


def provision(slug: str, email: str, name: str, *, at: datetime | None = None) -> None:
    """As create_tenant does, and then give the key a secret that the tests know."""
    request = ProvisionRequest(staff_email=email, staff_name=name, staff_password=PASSWORD)
    provision_tenant(slug=slug, request=request, is_sandbox=at is not None, at=at)
    key = KEYS[slug]
    with schema_context(slug):
        release_brakes()
        ApiKey.objects.update(key_hash=digest(key), prefix=key[: len(key) - 64 + SHOWN_OF_SECRET])
