"""What a killed supervisor leaves behind, and the care it takes to end that and nothing else.

On Linux the children hear of their supervisor's death and go (see tether). They may be slow, or it may be
another system; so each start first ends what the last one recorded. Pid and start time must both match before
a signal is sent: the machine may have been restarted since, and the numbers given to others.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence

from config.local import paths
from config.local.processes import Process, session_members

RECORD = paths.LOCAL / "processes.json"
GRACE_SECONDS = 10


def tethered(command: Sequence[str]) -> list[str]:
    """The command that runs this one as our child and ends it when we die."""
    return [sys.executable, "-m", "config.local.tether", str(os.getpid()), *command]


def record(processes: Iterable[Process]) -> None:
    """Remember who must not survive us. Called whenever a child is added."""
    unfinished = RECORD.with_suffix(".new")
    unfinished.write_text(json.dumps([[process.pid, process.started] for process in processes]))
    unfinished.replace(RECORD)


def forget() -> None:
    RECORD.unlink(missing_ok=True)


def end_recorded() -> int:
    """End what an earlier run left, and return how many processes that were."""
    try:
        recorded = [Process(int(pid), str(started)) for pid, started in json.loads(RECORD.read_text())]
    except (FileNotFoundError, ValueError):
        return 0
    ended = 0
    for leader in recorded:
        if leader.is_alive:
            ended += 1
            leader.end(signal.SIGTERM, grace=GRACE_SECONDS)
        for member in session_members(leader, directory=paths.ROOT):
            ended += 1
            member.end(signal.SIGTERM, grace=GRACE_SECONDS)
    forget()
    return ended


def kill_rest(child: "subprocess.Popen[str]", identity: Process | None) -> None:
    """Kill a child of ours that has not gone, with its group, or what a child that has gone left behind.

    The group's number is ours for certain only until its leader has been waited for.
    """
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    elif identity:
        for member in session_members(identity, directory=paths.ROOT):
            member.signal(signal.SIGKILL)
