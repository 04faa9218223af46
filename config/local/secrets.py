"""The secret key of this machine: made once, so that sessions survive a restart, and never committed."""

import os
import secrets

from config.local import locks, paths


def local_secret_key() -> str:
    """Read the key, or make it at the first call."""
    file = paths.LOCAL / "secret_key"
    if not file.exists():
        # Web, worker and beat may all be first.
        with locks.exclusive(paths.LOCAL / "secret_key.lock"):
            if not file.exists():
                unfinished = file.with_suffix(".new")
                unfinished.unlink(missing_ok=True)
                descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "w") as new:
                    new.write(secrets.token_urlsafe(50))
                unfinished.rename(file)
    return file.read_text()
