"""Cache keys and files belong to the tenant whose schema is entered."""

from pathlib import Path

import pytest
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django_tenants.utils import schema_context, tenant_context

from apps.tenants.models import Tenant


def test_a_cache_key_is_the_tenant_s_own(acme: Tenant, globex: Tenant) -> None:
    with tenant_context(acme):
        cache.set("invoice", "acme's", 30)
    with tenant_context(globex):
        assert cache.get("invoice") is None
        cache.set("invoice", "globex's", 30)
    with schema_context("public"):
        assert cache.get("invoice") is None
    with tenant_context(acme):
        assert cache.get("invoice") == "acme's"


def test_a_file_is_the_tenant_s_own(
    acme: Tenant, globex: Tenant, settings: pytest.FixtureRequest, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    with tenant_context(acme):
        name = default_storage.save("report.csv", ContentFile(b"acme's"))
        assert name == "report.csv"
    with tenant_context(globex):
        assert not default_storage.exists(name)
        assert default_storage.save("report.csv", ContentFile(b"globex's")) == "report.csv"
    assert {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*.csv")} == {
        "tenants/acme/report.csv": b"acme's",
        "tenants/globex/report.csv": b"globex's",
    }
