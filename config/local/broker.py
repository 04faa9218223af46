"""The embedded broker: a Valkey on a Unix socket that writes every task down before it answers.

An append-only file, so that a kill of everything loses no task that was accepted.
"""

import os
import signal
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from config.local import paths
from config.local.binaries import broker_binary
from config.local.daemons import last_words, spawn
from config.local.processes import Process

SOCKET = "broker.sock"
START_SECONDS = 30
STOP_SECONDS = 10
ANSWER_SECONDS = 5


class BrokerError(Exception):
    """The broker could not be started; the message ends with what it said last."""


@dataclass(frozen=True)
class Broker:
    """One server with its data under `home`."""

    home: Path

    @property
    def socket(self) -> Path:
        return paths.socket_directory(self.home) / SOCKET

    @property
    def log(self) -> Path:
        return paths.LOGS / "broker.log" if self.home.parent == paths.LOCAL else self.home / "log"

    def ensure_running(self) -> None:
        """Start the server unless one answers."""
        if self._answers():
            return
        self.stop()  # one that lives and does not answer would still hold its file open
        paths.make_private(self.home)
        paths.make_private(self.socket.parent)
        started = self._spawn()
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if started.wait(0) or time.monotonic() > deadline:
                raise BrokerError(f"The broker did not start.\n{last_words(self.log)}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server; SIGTERM lets it write its file to the end."""
        running = self._process()
        if running:
            running.end(signal.SIGTERM, grace=STOP_SECONDS)

    def _spawn(self) -> Process:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.home),
            "appendonly": "yes",
            # "everysec" puts the write itself off while an earlier fsync is slow: a kill then loses tasks.
            "appendfsync": "always",
            "save": "",
            # A queue that is full must say so: evicting keys would drop tasks.
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        command = [
            broker_binary(),
            *(word for name, value in options.items() for word in (f"--{name}", value)),
        ]
        started = spawn(command, log=self.log, directory=self.home, environment=os.environ)
        self._record.write_text(f"{started.pid} {started.started}")
        return started

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection, suppress(OSError):
            connection.settimeout(ANSWER_SECONDS)
            connection.connect(str(self.socket))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
        return False

    def _process(self) -> Process | None:
        """The server as recorded at its start, if it is alive and still the same process."""
        try:
            pid, _, started = self._record.read_text().partition(" ")
        except FileNotFoundError:
            return None
        recorded = Process(int(pid), started)
        return recorded if recorded.is_alive else None

    @property
    def _record(self) -> Path:
        return self.home / "process"


def embedded() -> Broker:
    """The broker of `make run`."""
    return Broker(paths.LOCAL / "broker")
