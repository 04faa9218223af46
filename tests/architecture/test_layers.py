"""import-linter's contracts, in the test run."""

import subprocess
import sys

from tests.harness.databases import ROOT


def test_the_contracts_are_kept() -> None:
    """In a process of its own: the linter sets up logging anew and would silence every logger of ours."""
    command = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    done = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
