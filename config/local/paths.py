"""Where everything lives on one machine: under .local/, but for sockets whose path would be too long."""

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LOCAL = ROOT / ".local"
LOGS = LOCAL / "log"
STATIC = LOCAL / "static"  # stays empty: files are served from the apps, but whitenoise wants to see it

# sun_path holds 108 bytes on Linux and 104 on macOS, with the closing zero byte.
SOCKET_PATH_MAX = 100
LONGEST_SOCKET_NAME = ".s.PGSQL.5432"


class UnusableDirectoryError(Exception):
    """A directory that must be private belongs to somebody else or is open to others."""


def socket_directory(home: Path) -> Path:
    """Where the sockets of a server go: beside its data, or in /tmp when that path is too long.

    A pure function of the path: a process that only connects finds the same place without asking. So /tmp is
    spelled out; TMPDIR may differ from one terminal to the next.
    """
    beside = home / "socket"
    if len(os.fsencode(beside / LONGEST_SOCKET_NAME)) <= SOCKET_PATH_MAX:
        return beside
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
    return Path(f"/tmp/countinghouse-{os.getuid()}-{digest}")


def make_private(directory: Path) -> Path:
    """Create a directory only we can enter, and refuse one somebody else has put there first."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise UnusableDirectoryError(f"{directory} belongs to somebody else. Remove it and try again.")
    if stat.S_IMODE(found.st_mode) != 0o700:
        directory.chmod(0o700)
    return directory


def prepare() -> None:
    """Make .local/, or say whose it is when it is not ours.

    After `sudo make run` its servers' files belong to root, and no ordinary user's server could use them.
    """
    LOCAL.mkdir(exist_ok=True)
    for entry in LOCAL.iterdir():
        with suppress(FileNotFoundError):  # a temporary file of another process
            _refuse_strangers(entry)
    for directory in (LOGS, STATIC):
        directory.mkdir(exist_ok=True)


def _refuse_strangers(entry: Path) -> None:
    owner = entry.lstat().st_uid
    if owner != os.getuid():
        raise UnusableDirectoryError(
            f"{entry} belongs to user {owner}, and this is user {os.getuid()}. "
            "Continue as that user, or let that user call `make reset` first."
        )
