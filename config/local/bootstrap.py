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

NEEDED = (3, 11)
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
LOCKED = os.path.join(ROOT, "requirements", "dev.txt")
STAMP = os.path.join(VENV, ".countinghouse")  # written last, so that a killed installation is done again


def main():
    """Create or refresh the environment, one process at a time; quick when there is nothing to do."""
    if sys.version_info < NEEDED:
        return _use_a_newer_python()
    os.makedirs(os.path.join(ROOT, ".local"), exist_ok=True)
    with open(os.path.join(ROOT, ".local", "venv.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = _wanted()
        if _installed() == wanted and _works():
            return 0
        if not _works() or _installed()[:1] != wanted[:1]:
            _create()
        print("Installing the packages of requirements/dev.txt into .venv ...", flush=True)
        pip = [PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        done = subprocess.run(pip + ["--only-binary", ":all:", "--requirement", LOCKED], cwd=ROOT)
        if done.returncode:
            sys.exit("The packages could not be installed: see pip's message above.")
        with open(STAMP, "w") as stamp:
            stamp.write("\n".join(wanted))
    return 0


def _use_a_newer_python():
    """Hand over to a newer interpreter beside the one called python3, or say what is missing."""
    for minor in range(14, NEEDED[1] - 1, -1):
        newer = shutil.which("python3.%d" % minor)
        if newer:
            os.chdir(ROOT)
            os.execv(newer, [newer, "-m", "config.local.bootstrap"])
    found = "%d.%d" % sys.version_info[:2]
    sys.exit(
        "Countinghouse needs Python 3.11 or newer; %s is %s. Please install a newer Python."
        % (sys.executable, found)
    )


def _wanted():
    with open(LOCKED, "rb") as locked:
        return ["%d.%d" % sys.version_info[:2], hashlib.sha256(locked.read()).hexdigest()]


def _installed():
    try:
        with open(STAMP) as stamp:
            return stamp.read().split("\n")
    except OSError:
        return []


def _works():
    """Tell whether .venv has an interpreter that starts and has pip: neither survives every system upgrade."""
    if not os.path.exists(PYTHON):
        return False
    check = [PYTHON, "-c", "import pip"]
    return subprocess.run(check, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def _create():
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        package = "python%d.%d-venv" % sys.version_info[:2]
        sys.exit(
            "This Python cannot create virtual environments. Install its venv module and try again:\n"
            "    Debian, Ubuntu:  sudo apt-get install %s" % package
        )
    print("Creating a virtual environment in .venv ...", flush=True)
    done = subprocess.run([sys.executable, "-m", "venv", "--clear", VENV])
    if done.returncode:
        sys.exit("The virtual environment could not be created: see the message above.")


if __name__ == "__main__":
    sys.exit(main())
