"""The embedded PostgreSQL: made, started, shared and stopped without anything being installed.

Unix socket only, in a directory only we can enter; that is why it trusts whoever connects. PG* variables of
the environment are kept away from it. This module needs the standard library only: manage.py calls it first.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from config.local import locks, paths
from config.local.binaries import postgres_binaries
from config.local.daemons import last_words, spawn
from config.local.lease import lease
from config.local.postmaster import Postmaster
from config.local.processes import Process
from config.local.unprivileged import disguise

NAME = USER = "countinghouse"
PORT = 5432  # a part of the socket's name, nothing listens on it
START_SECONDS = 60  # crash recovery replays the log before it answers
STOP_SECONDS = 20

# Each running connection of each tenant locks many small tables: the defaults of 100 and 64 are soon used up.
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "max_locks_per_transaction": "256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "unix_socket_permissions": "0700",
    # Identities of events are random, so each checkpoint makes ingestion log whole pages anew: let them be rare.
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
}
# Nothing in a test database outlives the machine it was made on.
DISPOSABLE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


class PostgresError(Exception):
    """The server could not be made, started or stopped; the message ends with what it said last."""


@dataclass(frozen=True)
class Postgres:
    """One server with its data under `home`. A disposable one is fast, and is made anew when it is broken."""

    home: Path
    disposable: bool = False
    # Besides or instead of SETTINGS, as pairs.
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def socket_directory(self) -> Path:
        return paths.socket_directory(self.home)

    @property
    def log(self) -> Path:
        return paths.LOGS / f"{self.home.name}.log" if self.home.parent == paths.LOCAL else self.home / "log"

    def ensure_running(self) -> None:
        """Make the data directory when there is none, and start the server when none answers."""
        paths.make_private(self.home)
        paths.make_private(self.socket_directory)
        if not self.data.exists():
            self._initialise()
        try:
            self._start()
        except PostgresError:
            if not self.disposable:
                raise
            # Without fsync a power failure may leave a broken directory behind.
            self.stop()
            shutil.rmtree(self.data)
            self._initialise()
            self._start()

    def stop(self) -> None:
        """Stop the server, roughly when it will not go; its log makes up for that at the next start."""
        running = Postmaster(self.data).process()
        if running:
            # SIGINT disconnects clients and writes everything down, SIGQUIT leaves at once.
            running.end(signal.SIGINT, signal.SIGQUIT, grace=STOP_SECONDS)

    def _initialise(self) -> None:
        """Make the data directory beside its place and move it when complete: a kill leaves no half one."""
        binaries = postgres_binaries()
        unfinished = self.home / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        paths.make_private(unfinished)
        disguise().own(unfinished)
        locale = (
            ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
            if binaries.major >= 17
            else ("--locale=C.UTF-8",)
        )
        sync = ("--no-sync",) if self.disposable else ()
        self._run(
            binaries["initdb"], "-D", str(unfinished), "-U", USER, "-A", "trust", "-E", "UTF8", *locale, *sync
        )
        single = (binaries["postgres"], "--single", "-D", str(unfinished), "postgres")
        self._run(*single, typed=f"CREATE DATABASE {NAME};\n")
        unfinished.rename(self.data)

    def _start(self) -> None:
        """Start the server unless it runs, and wait until it takes connections."""
        postmaster = Postmaster(self.data)
        at = self.socket_directory / f".s.PGSQL.{PORT}"
        deadline = time.monotonic() + START_SECONDS
        started: Process | None = None
        while not postmaster.is_ready(at):
            if time.monotonic() > deadline:
                raise PostgresError(f"PostgreSQL took longer than {START_SECONDS} s.\n{last_words(self.log)}")
            if started and started.wait(0):
                # Backends of a killed postmaster keep its shared memory for a moment, and a new one refuses.
                if "shared memory" not in last_words(self.log):
                    raise PostgresError(f"PostgreSQL did not start.\n{last_words(self.log)}")
                started = None
                time.sleep(0.3)
            if not started and not postmaster.process():
                postmaster.disown_stale_files(at)
                started = self._spawn()
            time.sleep(0.03)

    def _spawn(self) -> Process:
        disguise().own(self.data)
        settings = SETTINGS | (DISPOSABLE if self.disposable else {}) | dict(self.settings)
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command = [*disguise().prefix, postgres_binaries()["postgres"], "-D", str(self.data)]
        command += ["-k", str(self.socket_directory), "-p", str(PORT), *options]
        return spawn(command, log=self.log, directory=self.home, environment=_server_environment())

    def _run(self, *command: str, typed: str = "") -> None:
        done = subprocess.run(
            [*disguise().prefix, *command],
            input=typed, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=_server_environment(), cwd=self.home, check=False,
        )  # fmt: skip
        if done.returncode:
            raise PostgresError(f"{Path(command[0]).name} failed.\n{done.stdout}")


def clean_environment() -> dict[str, str]:
    """The environment without the variables of libpq and the server, which quietly redirect both."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def _server_environment() -> dict[str, str]:
    # A locale that is named in the environment and not installed would stop the server.
    return clean_environment() | {"LC_ALL": "C"}


def embedded() -> Postgres:
    """The server of `make run` and manage.py."""
    return Postgres(paths.LOCAL / "postgres")


@contextmanager
def lease_if_embedded() -> Iterator[None]:
    """Keep the embedded server running while a command runs, unless the environment names another one.

    COUNTINGHOUSE_NO_EMBEDDED=1 forbids starting anything, for commands that need no database.
    """
    if os.environ.get("DATABASE_URL") or os.environ.get("COUNTINGHOUSE_NO_EMBEDDED") == "1":
        yield
        return
    paths.prepare()
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]
    with lease(embedded()):
        yield


@contextmanager
def test_server() -> Iterator[str]:
    """A fast server for one test run, under .local/test-postgres; yields its DATABASE_URL.

    Each run has a server of its own, so that two at once need not agree on database names: the first free
    number is taken. Data stay for the next run, which then finds its template databases.
    """
    paths.prepare()
    number = 1
    while True:
        server = Postgres(paths.LOCAL / "test-postgres" / str(number), disposable=True)
        paths.make_private(server.home)
        with suppress(locks.LockedError), locks.exclusive(server.home / "run.lock", wait=False):
            with lease(server):
                yield url_of(server)
            return
        number += 1


def url_of(server: Postgres) -> str:
    """The DATABASE_URL of a server. The host is a parameter: as a host name its upper case would be lost."""
    return f"postgresql://{USER}@/{NAME}?host={quote(str(server.socket_directory), safe='')}&port={PORT}"
