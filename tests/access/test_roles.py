"""Roles are groups with the permissions of their job."""

import pytest

from apps.access.services.roles import ensure_roles
from apps.tenants.models import Tenant
from tests.harness.clients import Staff
from tests.harness.evidence import nothing_changes_in


def test_making_them_again_changes_nothing(in_acme: Tenant) -> None:
    with nothing_changes_in("acme"):
        ensure_roles()


MAY = {
    "customers.view_customer": "olga sam",
    "customers.change_customer": "olga sam",
    "invoices.view_invoice": "olga sam",
    "invoices.change_invoice": "olga",
    "catalog.add_price": "olga",
    "audit.view_auditentry": "olga sam",
    "audit.change_auditentry": "",
    "audit.delete_auditentry": "",
}


@pytest.mark.parametrize("permission", MAY)
def test_each_may_what_the_job_needs(in_acme: Tenant, olga: Staff, sam: Staff, permission: str) -> None:
    cast = {"olga": olga, "sam": sam}
    assert [name for name, one in cast.items() if one.user.has_perm(permission)] == MAY[permission].split()
    assert not olga.user.is_superuser
