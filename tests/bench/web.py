"""The real web server as `make run` starts it, for the length of a measurement."""

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from config.local import web

START_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Server:
    port: int
    pid: int


@contextmanager
def server(*, workers: int, threads: int) -> Iterator[Server]:
    """Its log goes where this process's errors go."""
    port = free_port()
    command = web.command(f"127.0.0.1:{port}", workers=workers, options=["--log-level", "warning"])
    process = subprocess.Popen(command, env=os.environ | {"WEB_THREADS": str(threads)})
    try:
        wait_until_healthy(port, process)
        yield Server(port, process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_healthy(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    raise SystemExit("The web server did not start; its words stand above.")
