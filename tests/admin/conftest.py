"""Acme in business, and a colleague who may only read."""

import pytest
from django.contrib.auth.models import Group

from apps.access.models import StaffUser
from apps.tenants.models import Tenant
from tests.admin.business import Business, start_business
from tests.harness.cast import PASSWORD
from tests.harness.clients import Staff

READER = "reader@acme.example"


@pytest.fixture
def business(in_acme: Tenant) -> Business:
    return start_business()


@pytest.fixture
def reader(in_acme: Tenant) -> Staff:
    """Has the role Read only at acme."""
    user = StaffUser.objects.create_user(READER, PASSWORD)
    user.groups.set([Group.objects.get(name="Read only")])
    return Staff(in_acme, READER)
