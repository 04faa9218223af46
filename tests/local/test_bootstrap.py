"""What runs before anything is installed."""

import ast
from pathlib import Path

from config.local import bootstrap, paths


def test_an_old_python_can_read_it_far_enough_to_be_refused() -> None:
    for module in ("config/__init__.py", "config/local/__init__.py", "config/local/bootstrap.py"):
        ast.parse((paths.ROOT / module).read_text(), feature_version=(3, 7))


def test_agrees_with_the_launcher_about_the_root() -> None:
    assert Path(bootstrap.ROOT) == paths.ROOT
