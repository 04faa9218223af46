"""Places to run the launcher in: one for each test, with a space in its path, and gone afterwards."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from config.local import paths
from config.local.broker import Broker
from config.local.lease import stop_if_unused
from config.local.postgres import Postgres

STAND_IN = Path(__file__).parent / "stand_in"
REPLACED = ("DATABASE_URL", "CELERY_BROKER_URL", "DJANGO_SETTINGS_MODULE", "COUNTINGHOUSE_NO_EMBEDDED")


def wait_until(holds: Callable[[], bool], *, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "It did not happen in time."
        time.sleep(0.02)


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory whose path is short enough for a socket, which pytest's own is not."""
    with tempfile.TemporaryDirectory(prefix="a place ", dir="/tmp") as directory:
        yield Path(directory)


@pytest.fixture
def server(place: Path) -> Iterator[Postgres]:
    """A PostgreSQL that keeps its promises: not the fast, disposable kind."""
    server = Postgres(place / "server")
    yield server
    server.stop()


@dataclass
class Installation:
    """A copy of the launcher with a stand-in for the product."""

    root: Path
    port: int
    started: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    @property
    def local(self) -> Path:
        return self.root / ".local"

    @property
    def output(self) -> str:
        return (self.root / "output").read_text(errors="replace")

    def environment(self, **extra: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in REPLACED}
        return kept | {"PORT": str(self.port)} | extra

    def start(self, command: str = "run", **extra: str) -> "subprocess.Popen[bytes]":
        with (self.root / "output").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "config.local", command],
                cwd=self.root, env=self.environment(**extra), stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self.started.append(process)
        return process

    def started_completely(self) -> "subprocess.Popen[bytes]":
        process = self.start()
        wait_until(lambda: "Ctrl-C" in self.output or process.poll() is not None)
        assert process.poll() is None, self.output
        return process

    def call(self, command: str, **extra: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "config.local", command],
            cwd=self.root, env=self.environment(**extra), check=False,
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip


@pytest.fixture
def installation(place: Path) -> Iterator[Installation]:
    root = place / "clone"
    shutil.copytree(STAND_IN, root, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "config" / "__init__.py").touch()
    copied = root / "config" / "local"
    shutil.copytree(paths.ROOT / "config" / "local", copied, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(paths.ROOT / "config" / "worker.py", root / "config")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    installation = Installation(root, port)
    yield installation
    for process in installation.started:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)
    for left in (Postgres(installation.local / "postgres"), Broker(installation.local / "broker")):
        stop_if_unused(left)
