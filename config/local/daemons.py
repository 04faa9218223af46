"""Starting a process that outlives whoever started it."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from config.local.processes import Process

WORDS_BYTES = 2000


def spawn(command: Sequence[str], *, log: Path, directory: Path, environment: Mapping[str, str]) -> Process:
    """Start a server in a session of its own: Ctrl-C in the terminal must not reach what others are using."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        started = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            cwd=directory, env=dict(environment), start_new_session=True,
        )  # fmt: skip
    process = Process.of(started.pid) or Process(started.pid, "ended at once")
    # We shall not wait for it; without this subprocess takes that for an oversight and warns.
    started.returncode = 0
    return process


def last_words(log: Path) -> str:
    """The end of a log, to show with an error."""
    try:
        return "\n".join(log.read_text(errors="replace")[-WORDS_BYTES:].splitlines()[-8:])
    except FileNotFoundError:
        return ""
