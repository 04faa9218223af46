"""Reading postmaster.pid: is there a server on this data directory, and does it take connections?

A pid file outlives a kill -9, and its number may by now belong to another program. PostgreSQL itself handles
a dead number, but refuses to start when it finds any living process there.
"""

import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from config.local.processes import Process, command_line

# The largest number a pid can have; no system gives it out.
NOBODYS_PID = 2**31 - 2
STATUS_LINE = 7


@dataclass(frozen=True)
class Postmaster:
    data: Path

    def process(self) -> Process | None:
        """The living server of this data directory."""
        lines = self._lines()
        if not lines or not lines[0].strip().isdigit():
            return None
        running = Process.of(int(lines[0]))
        # Only a server on this very directory has both in its command line.
        if running and all(part in command_line(running.pid) for part in ("postgres", str(self.data))):
            return running
        return None

    def is_ready(self, at: Path) -> bool:
        """Tell whether the server takes connections at this socket."""
        lines = self._lines()
        if len(lines) <= STATUS_LINE or lines[STATUS_LINE].strip() != "ready" or not self.process():
            return False
        with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
            probe.connect(str(at))
            return True
        return False

    def disown_stale_files(self, at: Path) -> None:
        """Make the files of a dead server name a pid that never lives; call only when `process` found none.

        postmaster.pid is not removed: its other lines tell the next server which shared memory to look at,
        and that is how it notices backends of the dead one that are still writing.
        """
        lines = self._lines()
        if lines:
            self._file.write_text("\n".join([str(NOBODYS_PID), *lines[1:]]) + "\n")
        for stale in (at, at.with_name(f"{at.name}.lock")):
            stale.unlink(missing_ok=True)

    @property
    def _file(self) -> Path:
        return self.data / "postmaster.pid"

    def _lines(self) -> list[str]:
        try:
            return self._file.read_text().splitlines()
        except FileNotFoundError:
            return []
