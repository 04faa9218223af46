"""Processes that live and die together: each named, its output prefixed and logged, none left when one falls.

Every child leads a session of its own, so that Ctrl-C reaches only us and we decide the order of the end.
"""

import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType

from config.local import leftovers, paths
from config.local.output import Lines
from config.local.processes import Process

GRACE_SECONDS = 10
POLL_SECONDS = 0.1
TAIL_LINES = 20


class StoppedError(Exception):
    """Somebody asked us to stop: Ctrl-C, SIGTERM, or a terminal that was closed."""


class ChildFailedError(Exception):
    """A service ended by itself, or a step did not succeed. The message ends with its last lines."""


@dataclass
class Child:
    name: str
    process: "subprocess.Popen[str]"
    identity: Process | None
    lines: Lines
    readers: list[threading.Thread]

    def drain(self) -> None:
        """Wait for the last lines; a grandchild that kept the pipe open must not hold us up."""
        for reader in self.readers:
            reader.join(timeout=1)


@dataclass
class Supervisor:
    environment: Mapping[str, str]
    services: list[Child] = field(default_factory=list)
    _spawned: list[Process] = field(default_factory=list)
    _asked_to_stop: int = 0

    def listen(self) -> None:
        """Let signals end us in order instead of at once."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note_signal)

    def start(self, name: str, *command: str) -> None:
        """Start a service. When it ends before we do, everything ends."""
        self.services.append(self._spawn(name, command, keep_output=False))

    def run(self, name: str, *command: str) -> str:
        """Run a step to its end and return what it printed, while watching the services."""
        child = self._spawn(name, command, keep_output=True)
        try:
            while child.process.poll() is None:
                self.check()
                time.sleep(POLL_SECONDS / 4)
        except BaseException:
            self._end([child])
            raise
        child.drain()
        if child.process.returncode:
            raise ChildFailedError(_obituary(child))
        return "\n".join(child.lines.kept)

    def check(self) -> None:
        """Raise when we were asked to stop or a service has ended."""
        if self._asked_to_stop:
            raise StoppedError
        for service in self.services:
            if service.process.poll() is not None:
                service.drain()
                raise ChildFailedError(_obituary(service))

    def end(self) -> None:
        """End the services, the last started first to be told, and wait for all of them together."""
        self._end(self.services[::-1])
        leftovers.forget()

    def _spawn(self, name: str, command: Sequence[str], *, keep_output: bool) -> Child:
        process = subprocess.Popen(
            leftovers.tethered(command),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, encoding="utf-8", errors="replace",
            env=dict(self.environment), cwd=paths.ROOT, start_new_session=True,
        )  # fmt: skip
        identity = Process.of(process.pid)
        if identity:
            self._spawned.append(identity)
            leftovers.record(self._spawned)
        lines = Lines(name, keep_output=keep_output)
        readers = [
            threading.Thread(target=lines.read, args=(stream, is_output), daemon=True)
            for stream, is_output in ((process.stdout, True), (process.stderr, False))
        ]
        for reader in readers:
            reader.start()
        return Child(name, process, identity, lines, readers)

    def _end(self, children: Sequence[Child]) -> None:
        for child in children:
            _signal(child, signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        noted = self._asked_to_stop
        while any(child.process.poll() is None for child in children):
            # A second Ctrl-C means: now.
            if time.monotonic() > deadline or self._asked_to_stop > max(noted, 1):
                break
            time.sleep(POLL_SECONDS / 4)
        for child in children:
            leftovers.kill_rest(child.process, child.identity)
            child.drain()

    def _note_signal(self, number: int, frame: FrameType | None) -> None:
        self._asked_to_stop += 1  # and no more: whatever is interrupted may be in the middle of printing


def _signal(child: Child, number: int) -> None:
    if child.process.poll() is None:
        child.process.send_signal(number)


def _obituary(child: Child) -> str:
    code = child.process.returncode
    how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
    tail = "\n".join(f"    {line}" for line in child.lines.tail(TAIL_LINES))
    return f"{child.name} {how}. Its last lines:\n{tail}\nAll of it: {child.lines.log}"
