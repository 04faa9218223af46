"""The demo's API keys go to a directory of the test, never to the .local of whoever runs it."""

from pathlib import Path

import pytest

from apps.demo.services import keys


@pytest.fixture(autouse=True)
def keys_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "demo" / "keys.json"
    monkeypatch.setattr(keys, "keys_file", lambda: file)
    return file
