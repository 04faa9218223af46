"""`make run` and `make reset` as a user sees them, with a stand-in for the product."""

import http.client
import json
import os
import signal
import socket
from contextlib import suppress

from config.local.processes import Process
from tests.local.conftest import Installation, wait_until


def get(installation: Installation, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", installation.port, timeout=1)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def children(installation: Installation) -> list[Process]:
    recorded = json.loads((installation.local / "processes.json").read_text())
    return [child for child in (Process(*identity) for identity in recorded) if child.is_alive]


def test_from_start_to_stop(installation: Installation) -> None:
    process = installation.started_completely()
    running = children(installation)
    assert "olga@example.com   password: let-me-in" in installation.output
    assert get(installation, "/healthz") == 200
    assert len(running) == 3

    second = installation.call("run")
    assert second.returncode == 1
    assert f"already running here, at http://localhost:{installation.port}." in second.stdout
    refused = installation.call("reset")
    assert (refused.returncode, "Stop it with Ctrl-C first" in refused.stdout) == (1, True)

    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 0
    assert not any(child.is_alive for child in running)
    assert not (installation.local / "postgres" / "data" / "postmaster.pid").exists()
    assert installation.call("reset").returncode == 0
    assert list(installation.local.iterdir()) == []


def test_a_killed_run_takes_its_children_along_and_blocks_nothing(installation: Installation) -> None:
    killed = installation.started_completely()
    running = children(installation)
    killed.kill()
    killed.wait()
    wait_until(lambda: not any(child.is_alive for child in running))
    assert installation.started_completely().poll() is None


def test_a_service_that_dies_ends_everything_and_is_named(installation: Installation) -> None:
    process = installation.started_completely()
    running = children(installation)
    with suppress(http.client.HTTPException, OSError):  # the answer may die with the server
        get(installation, "/die")
    assert process.wait(timeout=20) == 1
    assert "web was ended by signal 9. Its last lines:" in installation.output
    assert not any(child.is_alive for child in running)


def test_stopping_in_the_middle_of_the_demo(installation: Installation) -> None:
    process = installation.start(SEED_SECONDS="60")
    wait_until(lambda: "half of the demo is there" in installation.output)
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(timeout=20) == 0
    assert "Countinghouse is running" not in installation.output


def test_a_port_that_is_taken_is_named(installation: Installation) -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", installation.port))
        stranger.listen()
        refused = installation.call("run")
    assert refused.returncode == 1
    assert f"Port {installation.port} is taken by another program." in refused.stderr
    assert not (installation.local / "postgres").exists()
