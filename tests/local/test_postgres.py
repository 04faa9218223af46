"""The embedded PostgreSQL, each time a real one."""

import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from config.local import paths, unprivileged
from config.local.lease import lease
from config.local.postgres import Postgres
from config.local.postmaster import Postmaster
from config.local.processes import Process
from tests.local.conftest import Installation, wait_until

HOLD = """
import sys, time
from pathlib import Path
from config.local.lease import lease
from config.local.postgres import Postgres
with lease(Postgres(Path(sys.argv[1]))):
    print("held", flush=True)
    sys.stdin.read()
"""

ASK_FOR_A_TEST_SERVER = """
import sys
from config.local.postgres import test_server
with test_server() as url:
    print(url, flush=True)
    sys.stdin.read()
"""


def connect(server: Postgres) -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(
        host=str(server.socket_directory),
        port=5432,
        user="countinghouse",
        dbname="countinghouse",
        autocommit=True,
    )


def postmaster(server: Postgres) -> Process | None:
    return Postmaster(server.data).process()


def hold_in_another_process(server: Postgres) -> "subprocess.Popen[bytes]":
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(server.home)],
        cwd=paths.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert holder.stdout
    assert holder.stdout.readline() == b"held\n"
    return holder


def test_answers_on_a_private_socket_only(server: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGDATA", "/nowhere")
    monkeypatch.setenv("PGPORT", "1")
    with lease(server), connect(server) as connection:
        settings = "listen_addresses", "max_connections", "max_locks_per_transaction", "fsync", "TimeZone"
        found = [connection.execute("SELECT current_setting(%s)", [name]).fetchone() for name in settings]
        assert found == [("",), ("200",), ("256",), ("on",), ("UTC",)]
        assert connection.execute("SELECT upper('ä'), 'Z' < 'a'").fetchone() == ("Ä", True)
        assert stat.S_IMODE(server.socket_directory.stat().st_mode) == 0o700


def test_the_last_to_leave_stops_it(server: Postgres) -> None:
    with lease(server):
        first = postmaster(server)
        other = hold_in_another_process(server)
    assert postmaster(server) == first is not None
    other.communicate()
    assert postmaster(server) is None


def test_a_killed_user_leaves_it_to_the_next(server: Postgres) -> None:
    other = hold_in_another_process(server)
    orphan = postmaster(server)
    other.kill()
    other.communicate()
    with lease(server), connect(server):
        assert postmaster(server) == orphan is not None
    assert postmaster(server) is None


def test_keeps_what_was_committed_through_a_kill(server: Postgres) -> None:
    with lease(server):
        connection = connect(server)
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        killed = postmaster(server)
        assert killed
        os.kill(killed.pid, signal.SIGKILL)
        wait_until(lambda: not killed.is_alive)
        # Its backend may not have noticed yet: the new server has to wait for it.
        with lease(server), connect(server) as again:
            assert again.execute("SELECT answer FROM kept").fetchone() == (42,)
            assert postmaster(server) != killed
        connection.close()


def test_a_pid_that_now_belongs_to_another_program_is_no_hindrance(server: Postgres) -> None:
    with lease(server):
        killed = postmaster(server)
        assert killed
        os.kill(killed.pid, signal.SIGKILL)
        wait_until(lambda: not killed.is_alive)
    pid_file = server.data / "postmaster.pid"
    _, *rest = pid_file.read_text().splitlines()
    stranger = subprocess.Popen(["sleep", "60"])
    pid_file.write_text("\n".join([str(stranger.pid), *rest]))
    (server.socket_directory / ".s.PGSQL.5432.lock").write_text(pid_file.read_text())
    with lease(server), connect(server):
        pass
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_a_path_too_long_for_a_socket(place: Path) -> None:
    server = Postgres(place / ("deep" * 30) / "server", disposable=True)
    with lease(server), connect(server):
        assert server.socket_directory.parent == Path("/tmp")
        assert stat.S_IMODE(server.socket_directory.stat().st_mode) == 0o700
    shutil.rmtree(server.socket_directory)


def test_a_socket_directory_put_there_by_somebody_else_is_refused(place: Path) -> None:
    (place / "theirs").mkdir()
    (place / "ours").symlink_to(place / "theirs")
    with pytest.raises(paths.UnusableDirectoryError, match="belongs to somebody else"):
        paths.make_private(place / "ours")


def test_a_broken_disposable_server_is_made_anew(place: Path) -> None:
    server = Postgres(place / "server", disposable=True)
    with lease(server):
        pass
    (server.data / "global" / "pg_control").write_bytes(b"")
    with lease(server), connect(server) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.skipif(os.geteuid() != 0, reason="Only root must become somebody else.")
def test_runs_for_root_where_user_namespaces_are_forbidden(
    server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lease(server):
        pass
    monkeypatch.setattr(unprivileged, "NAMESPACE", ("false",))
    unprivileged.disguise.cache_clear()
    try:
        with lease(server), connect(server) as connection:
            running = postmaster(server)
            assert running
            assert os.stat(f"/proc/{running.pid}").st_uid == unprivileged.NOBODY
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        unprivileged.disguise.cache_clear()


def test_two_test_runs_at_once_have_a_server_each(installation: Installation) -> None:
    def ask() -> "tuple[subprocess.Popen[str], str]":
        asking = subprocess.Popen(
            [sys.executable, "-c", ASK_FOR_A_TEST_SERVER],
            cwd=installation.root, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert asking.stdout
        return asking, asking.stdout.readline().strip()

    (first, url), (second, other_url) = ask(), ask()
    assert url != other_url
    with psycopg.connect(url) as connection, psycopg.connect(other_url) as other:
        connection.execute("CREATE TABLE template AS SELECT 'kept' AS state")
        assert other.execute("SELECT to_regclass('template')").fetchone() == (None,)
    first.communicate()
    again, same_url = ask()
    assert same_url == url
    with psycopg.connect(same_url) as connection:
        assert connection.execute("SELECT state FROM template").fetchone() == ("kept",)
    again.communicate()
    second.communicate()
