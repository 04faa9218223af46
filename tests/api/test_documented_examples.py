"""The examples of the README and the docs, run as they stand by a shell against a real server."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.databases import ROOT
from tests.harness.server import WebServer, environment_for

pytestmark = pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("bash")), reason="needs bash and curl"
)


def examples(text: str) -> str:
    return "\n".join(re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))


def run(script: str, web: WebServer, tmp_path: Path) -> str:
    """What it prints. The shell stops at the first command that fails."""
    script = script.replace("localhost:8000", f"127.0.0.1:{web.port}")
    script = script.replace(".venv/bin/python manage.py", f"{sys.executable} {ROOT / 'manage.py'}")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path, env=environment_for(web.database_url), capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def answers(printed: str) -> list[dict[str, object]]:
    """The JSON documents that stand one behind the other."""
    decoder, found, position = json.JSONDecoder(), [], 0
    while position < len(printed.rstrip()):
        document, position = decoder.raw_decode(printed, position)
        found.append(document)
    return found


def test_the_first_event_in_five_commands(web: WebServer, tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text()
    section = readme.split("## The first event in five commands")[1].split("\n## ")[0]
    *_, verdicts, usage = answers(run(examples(section), web, tmp_path))
    assert verdicts["accepted"] == 1
    assert usage["meters"][0]["quantity"] == "374"  # type: ignore[index]


def test_billing_by_api(web: WebServer, tmp_path: Path) -> None:
    told = answers(run(examples((ROOT / "docs/billing-api.md").read_text()), web, tmp_path))
    (previewed,) = (one for one in told if "difference" in one)
    assert previewed["difference"] == "20.00"
    runs, draft, lines, invoice, parked, waiting, late = told[-7:]
    assert runs["data"][0]["amounts"] == [  # type: ignore[index]
        {"currency": "USD", "amount": "319.00", "invoice_count": 1}
    ]
    assert [one["amount"] for one in lines["data"]] == ["49.00", "20.00", "250.00"]  # type: ignore[attr-defined]
    assert draft["memo"] == invoice["memo"] == "Thank you for touring with us."
    assert (invoice["number"], invoice["due_on"], invoice["purchase_order_number"]) == (
        "TOUR-2026-000001", "2026-03-03", "PO-7",
    )  # fmt: skip
    assert [parked["data"], waiting["data"], late["data"]] == [[], [], []]
