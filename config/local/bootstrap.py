"""Make .venv hold exactly what requirements/dev.txt names; `make` runs this before everything else.

Runs on the system's Python with nothing installed, possibly an old one, which it must refuse in a sentence
rather than with a syntax error. So: the standard library only, and no syntax that is newer than Python 3.6.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from typing import List

OLDEST = (3, 11)
NEWEST = (3, 14)  # that Django and the locked packages name
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
LOCKED = os.path.join(ROOT, "requirements", "dev.txt")
STAMP = os.path.join(VENV, ".countinghouse")  # written last, so that a killed installation is done again


def main() -> int:
    """Create or refresh the environment, one process at a time; quick when there is nothing to do."""
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        _hand_over()
    try:
        os.makedirs(os.path.join(ROOT, ".local"), exist_ok=True)
        with open(os.path.join(ROOT, ".local", "venv.lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _refresh()
    except PermissionError as refused:
        sys.exit(f"{refused.filename} is closed to this user. Was `make` called by another user before?")
    return 0


def _refresh() -> None:
    wanted = _wanted()
    if _installed() == wanted and _works():
        return
    if not _works() or _installed()[:1] != wanted[:1]:
        _create()
    print("Installing the packages of requirements/dev.txt into .venv ...", flush=True)
    pip = [PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    done = subprocess.run([*pip, "--only-binary", ":all:", "--requirement", LOCKED], cwd=ROOT, check=False)
    if done.returncode:
        sys.exit("The packages could not be installed: see pip's message above.")
    with open(STAMP, "w") as stamp:
        stamp.write("\n".join(wanted))


def _hand_over() -> None:
    """Become a Python of a version we know, when there is one beside the one called python3.

    Returns when there is none and this one is newer than all we know, which is worth a try.
    """
    for minor in range(NEWEST[1], OLDEST[1] - 1, -1):
        known = shutil.which(f"python3.{minor}")
        if known:
            os.execv(known, [known, "-m", "config.local.bootstrap"])
    if sys.version_info < OLDEST:
        sys.exit(f"Countinghouse needs Python 3.11 or newer, and {sys.executable} is {_version()}.")


def _version() -> str:
    return "{}.{}".format(*sys.version_info)


def _wanted() -> List[str]:
    with open(LOCKED, "rb") as locked:
        return [_version(), hashlib.sha256(locked.read()).hexdigest()]


def _installed() -> List[str]:
    try:
        with open(STAMP) as stamp:
            return stamp.read().split("\n")
    except OSError:
        return []


def _works() -> bool:
    """Tell whether .venv has a working interpreter with pip: an upgrade of the system may break both."""
    if not os.path.exists(PYTHON):
        return False
    check = [PYTHON, "-c", "import pip"]
    return (
        subprocess.run(check, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode
        == 0
    )


def _create() -> None:
    try:
        import ensurepip  # noqa: F401 - only whether it is there
        import venv  # noqa: F401 - likewise
    except ImportError:
        package = f"python{_version()}-venv"
        sys.exit(
            "This Python cannot create virtual environments. Install its venv module and try again:\n"
            f"    Debian, Ubuntu:  sudo apt-get install {package}"
        )
    print("Creating a virtual environment in .venv ...", flush=True)
    done = subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=False)
    if done.returncode:
        sys.exit("The virtual environment could not be created: see the message above.")


if __name__ == "__main__":
    sys.exit(main())
