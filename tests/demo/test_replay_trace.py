"""The command says what is wrong in a sentence, and its exit code says whether all was taken."""

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from apps.core import clock
from apps.demo.services import keys
from apps.demo.traces import CHAT
from apps.tenants.models import Tenant
from tests.harness import factories
from tests.harness.cast import KEYS
from tests.harness.server import WebServer, free_port

LAST_YEAR = clock.real_now().year - 1


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("replay_trace", *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def test_without_a_key(keys_file: Path) -> None:
    with pytest.raises(CommandError, match=r"no demo key for 'acme'.*make run"):
        run()


@pytest.mark.parametrize(
    "argument", ["--batch-size=0", "--batch-size=1001", "--clients=0", "--day=31.1.", "--trace=x"]
)
def test_arguments_out_of_range(argument: str) -> None:
    with pytest.raises(CommandError, match=argument.partition("=")[0]):
        run(argument)


def test_without_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.demo.management.commands.replay_trace.PATIENCE_SECONDS", 0)
    with pytest.raises(CommandError, match=r"gives no answer.*Is it running"):
        run(f"--base-url=http://127.0.0.1:{free_port()}", "--api-key=any")


def test_refusals_by_the_api_are_shown_and_fail_the_command(web: WebServer, in_acme: Tenant) -> None:
    keys.store_key(slug="acme", key=KEYS["acme"])
    base_url, day = f"--base-url={web.url}", f"--day={LAST_YEAR}-11-16"
    with pytest.raises(CommandError, match="401 invalid_api_key"):
        run(base_url, "--api-key=wrong")
    with pytest.raises(CommandError, match=r"no customer 'chat-assistant'.*seed_demo"):
        run(base_url, "--trace=chat")
    factories.make_customer(CHAT.customer)
    with pytest.raises(CommandError, match="No meter counts events of this name"):
        run(base_url, "--trace=chat", day)
    factories.make_plan()
    tomorrow = clock.real_now().replace(year=LAST_YEAR + 2, day=1).date()
    with pytest.raises(CommandError, match="has not begun yet"):
        run(base_url, "--trace=chat", f"--day={tomorrow}")

    factories.report(factories.an_event(f"chat-{LAST_YEAR}-11-16-00007", customer=CHAT.customer))
    out = io.StringIO()
    with pytest.raises(SystemExit) as stopped:
        call_command("replay_trace", base_url, "--trace=chat", day, stdout=out)
    assert stopped.value.code == 1
    assert "19,364 accepted, 0 duplicates, 1 conflicts, 0 quarantined, 0 rejected" in out.getvalue()
    assert f"chat-{LAST_YEAR}-11-16-00007: conflict: Another event has this id already" in out.getvalue()
