"""The command that starts the web server: the same for `make run`, the tests and the benchmark."""

import sys
from collections.abc import Sequence

GRACE_SECONDS = 5  # less than the supervisor gives everybody


def command(*addresses: str, workers: int = 2, options: Sequence[str] = ()) -> list[str]:
    """A master that keeps so many workers, and starts a new one when one dies.

    At SIGTERM the workers take no more connections, answer what they have, and end.
    """
    bound = [word for address in addresses for word in ("--bind", address)]
    return [
        sys.executable, "-m", "gunicorn", "config.asgi:application", "--worker-class", "config.worker.Worker",
        "--workers", str(workers), "--graceful-timeout", str(GRACE_SECONDS), "--no-control-socket",
        *bound, *options,
    ]  # fmt: skip
