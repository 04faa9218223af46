"""The one place that reads the time: real for live tenants, standing still for a sandbox."""

from datetime import UTC, datetime

from django.db import connection
from django_tenants.utils import schema_context, tenant_context

from apps.core import clock
from apps.tenants.models import Tenant
from tests.harness.cast import SANDBOX_STARTS_AT


def test_a_sandbox_stands_still(in_sandbox: Tenant) -> None:
    assert clock.now() == clock.now() == SANDBOX_STARTS_AT
    assert clock.real_now() > SANDBOX_STARTS_AT


def test_a_live_tenant_lives_in_real_time(in_acme: Tenant) -> None:
    before = datetime.now(UTC)
    assert before <= clock.now() <= datetime.now(UTC)
    assert clock.now().utcoffset().total_seconds() == 0


def test_leaving_the_sandbox_is_coming_back_to_the_present(in_sandbox: Tenant, acme: Tenant) -> None:
    for context in (tenant_context(acme), schema_context("public")):
        with context:
            assert clock.now() > SANDBOX_STARTS_AT
        assert clock.now() == SANDBOX_STARTS_AT
    assert connection.schema_name == "sandbox"
