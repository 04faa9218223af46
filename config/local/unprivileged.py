"""PostgreSQL refuses to run as root, and a root without another user at hand is common in containers.

Two ways around it, neither of which adds a user or opens a directory to others:

- a user namespace, in which root is seen as nobody while the files stay root's own;
- where namespaces are forbidden: user nobody with the one capability that lets it pass a home of mode 0700.
"""

import os
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

NOBODY = 65534
NAMESPACE = ("unshare", "--user", "--")
# DAC_OVERRIDE is among the capabilities a container has by default.
CAPABILITY = (
    "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
    "--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override", "--",
)  # fmt: skip


class NoUnprivilegedUserError(Exception):
    """We are root and can become nobody else."""


@dataclass(frozen=True)
class Disguise:
    """What to put before a command, and who must own the files it works on."""

    prefix: tuple[str, ...]
    owner: int

    def own(self, tree: Path) -> None:
        """Give a data directory to the user the server runs as; it may have been made in another disguise."""
        if tree.stat().st_uid == self.owner:
            return
        for directory, _, files in os.walk(tree):
            for name in (".", *files):
                os.chown(os.path.join(directory, name), self.owner, -1, follow_symlinks=False)


@cache
def disguise() -> Disguise:
    """Find a way that works here; ordinary users need none."""
    if os.geteuid() != 0:
        return Disguise((), os.geteuid())
    for candidate in (Disguise(NAMESPACE, 0), Disguise(CAPABILITY, NOBODY)):
        if _works(candidate.prefix):
            return candidate
    raise NoUnprivilegedUserError(
        "PostgreSQL does not run as root, and neither user namespaces nor setpriv work here. "
        "Run this as an ordinary user, or name a server in DATABASE_URL."
    )


def _works(prefix: tuple[str, ...]) -> bool:
    try:
        asked = subprocess.run([*prefix, "id", "-u"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return False
    return asked.returncode == 0 and asked.stdout.strip() not in ("", "0")
