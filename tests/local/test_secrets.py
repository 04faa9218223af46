"""The secret key of one machine."""

import stat
import subprocess
import sys

from tests.local.conftest import Installation

ASK = "from config.local.secrets import local_secret_key; print(local_secret_key())"


def test_every_process_gets_the_same_private_key(installation: Installation) -> None:
    asking = [
        subprocess.Popen(
            [sys.executable, "-c", ASK], cwd=installation.root, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    keys = {process.communicate()[0].strip() for process in asking}
    assert len(keys) == 1
    assert len(keys.pop()) > 60
    assert stat.S_IMODE((installation.local / "secret_key").stat().st_mode) == 0o600
