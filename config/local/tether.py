"""Become another program that dies with its supervisor: `python -m config.local.tether <its pid> <command…>`.

Linux sends a signal to the child of a parent that has died, even by kill -9, when the child asked for it. It
asks here and not between fork and exec of the supervisor, whose threads make Python code unsafe there.
Elsewhere the next start ends what a killed one left.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    supervisor, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform.startswith("linux"):
        # SIGTERM and not SIGKILL: gunicorn and Celery have children of their own, whom only they can tell.
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != supervisor:
        sys.exit("The supervisor has died.")  # before we asked, so nobody would tell us
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
