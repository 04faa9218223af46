"""The commands behind the Makefile: `python -m config.local run | reset | shell | manage …`."""

import os
import subprocess
import sys
from contextlib import nullcontext
from io import TextIOWrapper

from config.local import broker, paths
from config.local.binaries import MissingBinariesError
from config.local.broker import BrokerError
from config.local.lease import lease
from config.local.paths import UnusableDirectoryError
from config.local.ports import PortError
from config.local.postgres import PostgresError
from config.local.reset import reset
from config.local.run import run
from config.local.unprivileged import NoUnprivilegedUserError

# What the user can mend; each message says how.
EXPECTED = (
    BrokerError,
    MissingBinariesError,
    NoUnprivilegedUserError,
    PortError,
    PostgresError,
    UnusableDirectoryError,
)


def main(arguments: list[str]) -> int:
    match arguments:
        case ["run"]:
            return run()
        case ["reset"]:
            return reset()
        case ["shell", *rest]:
            return manage("shell", *rest)
        case ["manage", *rest]:
            return manage(*rest)
    print(__doc__)
    return 2


def manage(*arguments: str) -> int:
    """Run manage.py with the broker up as well, so that a task sent by hand is kept for the next worker."""
    paths.prepare()
    with nullcontext() if os.environ.get("CELERY_BROKER_URL") else lease(broker.embedded()):
        return subprocess.run(
            [sys.executable, "manage.py", *arguments], cwd=paths.ROOT, check=False
        ).returncode


if __name__ == "__main__":
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without UTF-8 gets question marks, no traceback
    try:
        sys.exit(main(sys.argv[1:]))
    except EXPECTED as error:
        sys.exit(str(error))
    except PermissionError as refused:
        sys.exit(f"{refused.filename} is closed to this user. Was `make` called by another user before?")
    except KeyboardInterrupt:
        sys.exit(130)
