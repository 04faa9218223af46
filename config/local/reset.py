"""`make reset`: empty .local/, unless somebody is using what is in it."""

import shutil

from config.local import broker, leftovers, locks, paths, postgres
from config.local.lease import stop_if_unused
from config.local.output import say


def reset() -> int:
    """Stop servers that a killed process left behind, then remove databases, logs and keys."""
    paths.LOCAL.mkdir(exist_ok=True)
    try:
        with locks.exclusive(paths.LOCAL / "run.lock", wait=False):
            leftovers.end_recorded()
            tests = paths.LOCAL / "test-postgres"
            servers: list[postgres.Postgres | broker.Broker] = [postgres.embedded(), broker.embedded()]
            if tests.exists():
                servers += [postgres.Postgres(home) for home in sorted(tests.iterdir())]
            stopped = [stop_if_unused(server) for server in servers]
            if not all(stopped):
                say("Not emptied: a test run, a shell or a manage.py is still using a server in .local/.")
                return 1
            for server in servers:
                shutil.rmtree(paths.socket_directory(server.home), ignore_errors=True)
            for entry in paths.LOCAL.iterdir():
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    except locks.LockedError:
        say("Not emptied: Countinghouse is running here. Stop it with Ctrl-C first.")
        return 1
    say(".local/ is empty.")
    return 0
