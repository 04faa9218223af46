"""Which process is which. A pid alone names nobody: the number goes to another program sooner or later."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

LINUX = sys.platform.startswith("linux")


@dataclass(frozen=True)
class Process:
    """A pid with the instant its process started, in the system's own notation: together they are unique."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> "Process | None":
        """The living process with this pid. A zombie is dead: it only waits for its parent to notice."""
        started = _started(pid)
        return cls(pid, started) if started else None

    @property
    def is_alive(self) -> bool:
        return _started(self.pid) == self.started

    def signal(self, number: int) -> None:
        if self.is_alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def wait(self, seconds: float) -> bool:
        """Wait for the end, and tell whether it came. Reaps the process when it is our own child."""
        deadline = time.monotonic() + seconds
        while self.is_alive:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)
        return True

    def end(self, *signals: int, grace: float) -> None:
        """Send one signal after the other, each with its grace, and SIGKILL last."""
        for number in (*signals, signal.SIGKILL):
            self.signal(number)
            if self.wait(grace):
                return


def session_members(leader: Process, *, directory: Path) -> list[Process]:
    """Processes of a session whose leader has died. Linux only; elsewhere the answer is empty.

    A session keeps its number while it has members, yet we also ask for the working directory: a number that
    came round again must not cost a stranger's process its life.
    """
    if not LINUX:
        return []
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, ValueError):
            pid = int(entry.name)
            if os.getsid(pid) == leader.pid and Path(os.readlink(entry / "cwd")) == directory:
                member = Process.of(pid)
                if member:
                    found.append(member)
    return found


def command_line(pid: int) -> str:
    """The command of a process, empty when there is none."""
    if LINUX:
        try:
            return (
                Path(f"/proc/{pid}/cmdline")
                .read_bytes()
                .replace(b"\0", b" ")
                .decode(errors="replace")
                .strip()
            )
        except OSError:
            return ""
    return _ps(pid, "args=")


def _started(pid: int) -> str:
    if LINUX:
        try:
            # The name may hold spaces and brackets: fields count from the last one: state, …, starttime.
            fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        except OSError:
            return ""
        return "" if fields[0] in "ZX" else f"{boot}/{fields[19]}"
    state = _ps(pid, "stat=")
    return "" if not state or state.startswith("Z") else _ps(pid, "lstart=")


def _ps(pid: int, column: str) -> str:
    asked = subprocess.run(
        ["ps", "-ww", "-o", column, "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip()
