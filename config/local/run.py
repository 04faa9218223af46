"""`make run`: everything the product needs on one machine, from nothing to a filled demo, until Ctrl-C."""

import http.client
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from config.local import broker, leftovers, locks, paths, ports, postgres, web, welcome
from config.local.lease import lease
from config.local.output import say
from config.local.supervisor import ChildFailedError, StoppedError, Supervisor

PYTHON = sys.executable
MANAGE = (PYTHON, "manage.py")
# Celery warns of running as root; here that may be the only user there is.
CELERY = (PYTHON, "-W", "ignore:You're running the worker", "-m", "celery", "--quiet", "-A", "config")
HEALTHY_SECONDS = 60
POLL_SECONDS = 0.1


class NotHealthyError(Exception):
    """The web server runs and does not answer as it should."""


def run() -> int:
    """Start everything, stay, and stop everything; the exit code says whether it was stopped by its user."""
    paths.prepare()
    port = ports.wanted()
    try:
        with _alone(port), ExitStack() as servers:
            ended = leftovers.end_recorded()
            if ended:
                say(f"Ended {ended} processes that an earlier, killed run left behind.")
            hosts = ports.free_hosts(port)
            supervisor = Supervisor(_environment())
            supervisor.listen()
            _start_servers(servers)
            return _run_until_stopped(supervisor, hosts, port)
    except locks.LockedError as locked:
        _, _, where = locked.path.read_text().partition(" ")
        say(
            f"Countinghouse is already running here, at {where.strip() or 'an address it has yet to choose'}."
        )
        return 1


def _run_until_stopped(supervisor: Supervisor, hosts: list[str], port: int) -> int:
    try:
        _bring_up(supervisor, hosts, port)
        while True:
            supervisor.check()
            time.sleep(POLL_SECONDS)
    except StoppedError:
        say("Stopping …")
        return 0
    except (ChildFailedError, NotHealthyError) as failure:
        say(f"\n{failure}\nEverything is being stopped.")
        return 1
    finally:
        supervisor.end()


def _bring_up(supervisor: Supervisor, hosts: list[str], port: int) -> None:
    say("Bringing the database up to date …")
    supervisor.run("migrate", *MANAGE, "migrate_schemas", "--verbosity", "0")
    supervisor.start("web", *web.command(*(f"{host}:{port}" for host in hosts)))
    _wait_until_healthy(supervisor, port)
    say("Filling the demo …")
    base_url = f"http://127.0.0.1:{port}"
    demo = _last_json_line(supervisor.run("demo", *MANAGE, "seed_demo", "--base-url", base_url))
    # Only now: a worker that closes periods while the demo is still writing history would race it.
    supervisor.start(
        "worker", *CELERY, "worker", "--concurrency", "2", "--without-gossip", "--without-mingle"
    )
    supervisor.start("beat", *CELERY, "beat", "--pidfile=")
    say(welcome.text(demo, port=port))


def _wait_until_healthy(supervisor: Supervisor, port: int) -> None:
    deadline = time.monotonic() + HEALTHY_SECONDS
    last: object = "nothing"
    while time.monotonic() < deadline:
        supervisor.check()
        # Straight to the port: a proxy of the environment has no business here.
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", "/healthz")
            last = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            last = error
        finally:
            connection.close()
        if last == 200:
            return
        time.sleep(POLL_SECONDS)
    raise NotHealthyError(
        f"The web server did not become healthy within {HEALTHY_SECONDS} seconds, but: {last}."
    )


def _start_servers(servers: ExitStack) -> None:
    """Lease what the environment does not replace."""
    if not os.environ.get("DATABASE_URL"):
        say("Starting PostgreSQL …")
        servers.enter_context(lease(postgres.embedded()))
    if not os.environ.get("CELERY_BROKER_URL"):
        servers.enter_context(lease(broker.embedded()))


def _environment() -> dict[str, str]:
    environment = dict(os.environ) if os.environ.get("DATABASE_URL") else postgres.clean_environment()
    environment.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
    environment["PYTHONUNBUFFERED"] = "1"
    for name in ("no_proxy", "NO_PROXY"):
        environment[name] = ",".join(filter(None, [environment.get(name), "127.0.0.1", "localhost"]))
    return environment


@contextmanager
def _alone(port: int) -> Iterator[None]:
    """Hold the lock of the one run, with its pid and address inside for whoever comes second."""
    with locks.exclusive(paths.LOCAL / "run.lock", wait=False) as descriptor:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()} http://localhost:{port}".encode(), 0)
        yield


def _last_json_line(output: str) -> dict[str, Any]:
    """What seed_demo reports: the last line of its output that is a JSON object."""
    for line in reversed(output.splitlines()):
        if line.startswith("{"):
            found = json.loads(line)
            return dict(found)
    return {}
