"""The databases of a test run: one template that outlives runs, and copies of it that don't.

The template holds the public schema and the tenants of the cast. It is built once for each content of the
migrations and of the code that provisions, and copying it takes a tenth of a second, migrating it many.
"""

import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.db import connections
from psycopg.sql import SQL, Identifier

ROOT = Path(__file__).resolve().parent.parent.parent
# Whatever decides what a freshly provisioned database holds.
INGREDIENTS = (
    "apps/*/migrations/*.py",
    "apps/*/apps.py",
    "apps/*/models.py",
    "apps/*/models/*.py",
    "apps/*/services/provision.py",
    "apps/access/services/*.py",
    "config/settings/base.py",
    "requirements/base.txt",
    "tests/harness/cast.py",
    "tests/harness/databases.py",
)
RUN = "COUNTINGHOUSE_TEST_RUN"
UNFINISHED = "_unfinished"
LOCK = 7_201_953  # of the advisory lock under which a template is built; any number will do


def template_hash() -> str:
    digest = hashlib.sha256()
    for pattern in INGREDIENTS:
        for path in sorted(ROOT.glob(pattern)):
            digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


class Databases:
    """Makes and drops databases on the server of DATABASE_URL. `run` keeps two runs on one server apart."""

    def __init__(self, url: str, run: str) -> None:
        self.url = url
        self.run = run
        self.base = psycopg.conninfo.conninfo_to_dict(url)["dbname"]

    @classmethod
    def of_this_run(cls) -> "Databases":
        return cls(os.environ["DATABASE_URL"], os.environ[RUN])

    @property
    def template(self) -> str:
        return f"{self.base}_template_{self.run.partition('_')[0]}"

    def connect(self) -> "psycopg.Connection[Any]":
        return psycopg.connect(self.url, autocommit=True)

    def announce(self) -> "psycopg.Connection[Any]":
        """A connection whose name tells other runs that this one is alive. Also drops what the dead left."""
        alive = psycopg.connect(self.url, autocommit=True, application_name=f"tests {self.run}")
        rows = alive.execute(
            "SELECT application_name FROM pg_stat_activity WHERE application_name ~ '^tests '"
        )
        runs = {name.removeprefix("tests ") for (name,) in rows}
        keep = {Databases(self.url, run).template for run in runs}
        for (name,) in alive.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s) OR starts_with(datname, %s)",
            [f"{self.base}_template_", f"{self.base}_test_"],
        ).fetchall():
            is_kept = name.removesuffix(UNFINISHED) in keep or any(f"_test_{run}_" in name for run in runs)
            if not is_kept:
                self.drop(name, alive)
        return alive

    def ensure_template(self, build: Callable[[str], None]) -> None:
        """Build the template unless it is there; whoever comes meanwhile waits. A kill leaves no half one."""
        with self.connect() as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [self.template])
            if found.fetchone():
                return
            unfinished = self.template + UNFINISHED
            self.drop(unfinished, connection)
            connection.execute(SQL("CREATE DATABASE {}").format(Identifier(unfinished)))
            build(unfinished)
            connection.execute(
                SQL("ALTER DATABASE {} RENAME TO {}").format(
                    Identifier(unfinished), Identifier(self.template)
                )
            )

    def copy(self, purpose: str) -> str:
        """A new database that holds what the template holds; returns its name."""
        name = f"{self.base}_test_{self.run}_{purpose}_{secrets.token_hex(3)}"
        with self.connect() as connection:
            connection.execute(
                SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
                    Identifier(name), Identifier(self.template)
                )
            )
        return name

    def drop(self, name: str, connection: "psycopg.Connection[Any] | None" = None) -> None:
        """Drop a database, whoever is still connected to it."""
        statement = SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name))
        if connection is not None:
            connection.execute(statement)
            return
        with self.connect() as own:
            own.execute(statement)

    def url_of(self, name: str) -> str:
        """The DATABASE_URL of another database on the same server."""
        head, mark, parameters = self.url.partition("?")
        return f"{head.rpartition('/')[0]}/{name}{mark}{parameters}"


def new_run() -> str:
    """The name of a run: which template it uses, and some random digits."""
    return f"{template_hash()}_{secrets.token_hex(3)}"


def point_django_at(name: str) -> None:
    """Let connections of every thread that are opened from now on go to another database.

    The server is named too: Django read its settings before the server of this run was started.
    """
    named = psycopg.conninfo.conninfo_to_dict(os.environ["DATABASE_URL"])
    connections.close_all()
    settings.DATABASES["default"].update(
        NAME=name,
        HOST=named.get("host", ""),
        PORT=named.get("port", ""),
        USER=named.get("user", ""),
        PASSWORD=named.get("password", ""),
    )


@contextmanager
def django_on(name: str) -> Iterator[None]:
    """Point Django at a database for the duration."""
    before = settings.DATABASES["default"]["NAME"]
    point_django_at(name)
    try:
        yield
    finally:
        point_django_at(before)


@contextmanager
def django_on_copy(databases: Databases, purpose: str) -> Iterator[str]:
    """Point Django at a fresh copy for the duration; drop the copy afterwards."""
    name = databases.copy(purpose)
    try:
        with django_on(name):
            yield name
    finally:
        databases.drop(name)
