"""`manage.py replay_trace`: an hour of two production LLM services as today's usage of two customers, over HTTP."""

import json
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.demo.api import PATIENCE_SECONDS, ApiError, Endpoint, NotFoundError
from apps.demo.placement import FutureDayError
from apps.demo.replays import Replay
from apps.demo.services import keys, replay
from apps.demo.services.replay import Manner
from apps.demo.tally import VERDICTS, Tally
from apps.demo.traces import TRACES

DEFAULT_BASE_URL = "http://localhost:8000"
MOST_CLIENTS = 64


def number_up_to(most: int) -> Any:
    def parse(text: str) -> int:
        if not text.isdecimal() or not 1 <= int(text) <= most:
            raise ArgumentTypeError(f"a number from 1 to {most} is needed, not {text!r}")
        return int(text)

    return parse


class Command(BaseCommand):
    help = (
        "Send the production LLM traces through POST /api/v1/events, one customer per trace: code-assistant and "
        "chat-assistant. Sending a day again changes nothing: every event answers duplicate."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("--base-url", default=DEFAULT_BASE_URL, help="where the API is (default: %(default)s)")
        add("--tenant", default="acme", help="whose demo key is used (default: %(default)s)")
        add("--api-key", default="", help="use this key instead of the tenant's demo key")
        add(
            "--day",
            type=date.fromisoformat,
            help="move the hour to this day, YYYY-MM-DD (default: today, UTC)",
        )
        add("--trace", choices=[*TRACES, "both"], default="both")
        add("--batch-size", type=number_up_to(replay.MOST_EVENTS), default=replay.MOST_EVENTS, metavar="N")
        add("--shuffle", nargs="?", type=int, const=0, metavar="SEED", help="send in a random order")
        add(
            "--clients", type=number_up_to(MOST_CLIENTS), default=1, metavar="N", help="how many send at once"
        )
        add("--gzip", action="store_true", help="compress the requests")
        add("--json", action="store_true", help="print the summary as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        progress = Progress(self)
        endpoint = Endpoint(
            base_url=options["base_url"].rstrip("/"),
            key=options["api_key"] or self.stored_key(options["tenant"]),
            compress=options["gzip"],
            patience=PATIENCE_SECONDS,
            tell=progress.say,
        )
        traces = list(TRACES.values()) if options["trace"] == "both" else [TRACES[options["trace"]]]
        manner = Manner(options["batch_size"], options["clients"], options["shuffle"])
        try:
            with endpoint.connect() as api:
                day = options["day"] or api.now(traces[0].customer).date()
            replays = [Replay(trace, trace.customer, day) for trace in traces]
            tally = replay.replay(endpoint=endpoint, replays=replays, manner=manner, listen=progress.show)
            progress.end()
            with endpoint.connect() as api:
                usage = [replay.usage_of_day(api, one) for one in replays]
        except NotFoundError as error:
            raise CommandError(f"{error} Is this a demo tenant? `manage.py seed_demo` makes them.") from error
        except (ApiError, replay.ReplayError, FutureDayError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(as_json(tally, usage) if options["json"] else as_text(tally, usage))
        if not tally.is_clean:
            sys.exit(1)

    def stored_key(self, slug: str) -> str:
        key = keys.stored_keys().get(slug)
        if key is None:
            raise CommandError(
                f"There is no demo key for {slug!r} in {keys.keys_file()}. `make run` makes the demo and its "
                "keys; for another tenant give --api-key."
            )
        return key


class Progress:
    """One line that is rewritten on a terminal; elsewhere a line now and then."""

    def __init__(self, command: BaseCommand) -> None:
        self.out = command.stderr
        self.is_terminal = command.stderr.isatty()
        self.every_seconds = 0.2 if self.is_terminal else 5
        self.shown_at = time.monotonic()

    def show(self, tally: Tally) -> None:
        now = time.monotonic()
        if now - self.shown_at < self.every_seconds:
            return
        self.shown_at = now
        line = f"{tally.sent:,} of {tally.total:,} events sent, {tally.per_second:,} a second"
        self.out.write(line, style_func=str, ending="\r" if self.is_terminal else "\n")

    def say(self, message: str) -> None:
        self.end()
        self.out.write(message, style_func=str)

    def end(self) -> None:
        if self.is_terminal:
            self.out.write("\x1b[2K", style_func=str, ending="\r")


def as_text(tally: Tally, usage: list[dict[str, Any]]) -> str:
    lines = [", ".join(f"{tally.counts[verdict]:,} {verdict}" for verdict in VERDICTS)]
    lines += [f"{tally.sent:,} events in {tally.seconds:.1f} s: {tally.per_second:,} a second"]
    lines += [f"{result['id']}: {result['status']}: {result['message']}" for result in tally.refusals]
    for one in usage:
        lines.append(f"{one['customer']} on {one['day']}:")
        for code, meter in one["meters"].items():
            lines.append(f"    {code:<16} {meter['quantity']:>14}   {meter['event_count']} events")
    return "\n".join(lines)


def as_json(tally: Tally, usage: list[dict[str, Any]]) -> str:
    summary = tally.counts | {"seconds": round(tally.seconds, 3), "events_per_second": tally.per_second}
    return json.dumps(summary | {"refusals": tally.refusals, "customers": usage})
