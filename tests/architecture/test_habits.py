"""Habits of the code that no tool knows: who reads the time, what money is made of, what may be deleted."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.db import models

from config.urls_api import urlpatterns
from tests.harness.databases import ROOT

SOURCES = sorted(
    path
    for path in (ROOT / "apps").rglob("*.py")
    if "migrations" not in path.parts and "demo" not in path.parts
)
# Where amounts and quantities are made, stored or told.
MONEY_APPS = ("rating", "core", "catalog", "subscriptions", "usage", "invoices", "customers")
OURS = [model for model in apps.get_models() if model.__module__.startswith("apps.")]


def calls(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything that is called."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield node.lineno, ast.unparse(node.func)


def found(names: tuple[str, ...], *, outside: tuple[str, ...] = ()) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path in SOURCES
        if str(path.relative_to(ROOT)) not in outside
        for line, name in calls(path)
        if name.endswith(names)
    ]


def test_only_the_clock_reads_the_time() -> None:
    names = (
        "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "timezone.now", "timezone.localtime",
        "timezone.localdate", "time.time", "time.time_ns", "time.localtime", "time.gmtime",
    )  # fmt: skip
    assert found(names, outside=("apps/core/clock.py",)) == []


def test_nobody_asks_the_database_for_the_time() -> None:
    """`now()` in SQL is the machine's time, also in a sandbox."""
    assert found(("functions.Now", "Now")) == []
    for path in SOURCES:
        text = path.read_text().lower()
        assert "current_timestamp" not in text, path
        assert "now()::" not in text, path


def test_no_float_touches_money_or_quantity() -> None:
    for path in SOURCES:
        if path.relative_to(ROOT / "apps").parts[0] not in MONEY_APPS:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            where = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            assert not (isinstance(node, ast.Call) and ast.unparse(node.func) == "float"), where
            assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), where
            assert not (isinstance(node, ast.Attribute) and node.attr in ("FloatField", "fsum")), where


def test_no_column_is_a_float() -> None:
    assert [
        field for model in OURS for field in model._meta.fields if isinstance(field, models.FloatField)
    ] == []


def test_foreign_keys_protect() -> None:
    """What money, usage or the audit refers to can't vanish. A tenant's host names go with the tenant."""
    cascading = {
        f"{model._meta.label}.{field.name}"
        for model in OURS
        for field in model._meta.get_fields()
        if isinstance(field, models.ForeignKey) and field.remote_field.on_delete is not models.PROTECT
    }
    assert cascading == {"tenants.Domain.tenant"}


def test_every_instant_has_a_time_zone_and_a_fitting_name() -> None:
    exceptions = {"access.StaffUser.last_login", "access.StaffUser.date_joined"}  # Django's own
    misnamed = set()
    for model in OURS:
        for field in model._meta.concrete_fields:
            if isinstance(field, models.DateTimeField):
                is_fitting = field.name.endswith("_at") or field.name in (
                    "at", "timestamp", "bucket", "period_start", "period_end", "invoiced_until",
                    "written_before", "complete_before",
                )  # fmt: skip
            elif isinstance(field, models.DateField):
                is_fitting = field.name.endswith("_on")
            else:
                is_fitting = not field.name.endswith(("_at", "_on"))
            if not is_fitting:
                misnamed.add(f"{model._meta.label}.{field.name}")
    assert misnamed - exceptions == set()


def test_every_view_names_its_scope() -> None:
    """A view without one is closed, which nobody would notice before an integrator does."""
    for pattern in urlpatterns:
        view = pattern.callback.view_class
        for method in ("get", "post", "put", "patch", "delete"):
            if hasattr(view, method):
                kind = "read_scope" if method == "get" else "write_scope"
                assert getattr(view, "required_scope", "") or getattr(view, kind, ""), (pattern.name, method)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "apps")))
def test_a_file_is_read_in_one_go(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 300


def test_rules_are_not_hidden_in_signals_or_save() -> None:
    assert (
        found(
            ("receiver", "post_save.connect", "pre_save.connect", "post_delete.connect", "pre_delete.connect")
        )
        == []
    )


def test_every_app_says_what_it_owns() -> None:
    for folder in sorted((ROOT / "apps").iterdir()):
        if (folder / "__init__.py").exists():
            assert (folder / "README.md").exists(), f"{folder.name} has no README.md"
            assert len((folder / "README.md").read_text().splitlines()) <= 60
