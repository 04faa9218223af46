"""The real thing in processes of its own, started as `make run` does, against a database of the test."""

import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from config.local import web
from tests.harness.databases import ROOT

SETTINGS = "tests.harness.server_settings"
START_SECONDS = 30


def environment_for(database_url: str, **extra: str) -> dict[str, str]:
    """What a process of the product needs to run against a database of the test."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "PYTEST_"))}
    return kept | {"DATABASE_URL": database_url, "DJANGO_SETTINGS_MODULE": SETTINGS} | extra


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class WebServer:
    """`url` stays the same over a kill and a new start."""

    database_url: str
    log: Path
    workers: int = 2
    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def url_at(self, slug: str) -> str:
        """The host of a tenant. Browsers resolve it by themselves; other clients want url and a Host header."""
        return f"http://{slug}.localhost:{self.port}"

    def start(self) -> None:
        """Return when it answers."""
        command = web.command(f"127.0.0.1:{self.port}", workers=self.workers)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environment_for(self.database_url, **self.environment),
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self.process.poll() is None, self.log.read_text(errors="replace")
            assert time.monotonic() < deadline, self.log.read_text(errors="replace")
            time.sleep(0.05)

    def kill(self) -> None:
        """As a power failure would: the master and its workers at once."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def _answers(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/healthz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False
