"""`manage.py seed_demo`: the demo tenants with last month's invoices and today's usage. `make run` calls it."""

import json
import os
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.core import clock
from apps.core.errors import Refused
from apps.core.locks import session_lock
from apps.demo.api import ApiError
from apps.demo.blueprint import OPERATOR_EMAIL, PASSWORD, TENANTS, DemoTenant
from apps.demo.placement import FutureDayError
from apps.demo.services import keys, seed
from apps.demo.services.replay import ReplayError
from apps.tenants.selectors import serving_tenants

LOCK_SECONDS = 10
LOCK_POLL_SECONDS = 0.2


class Command(BaseCommand):
    help = (
        "Create the demo tenants acme and globex, bill their last month from real traces and report today's "
        "usage. What is there is kept. The last line of the output is JSON: where to sign in, and as whom."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--base-url", default="http://localhost:8000", help="where the API is")

    def handle(self, *args: Any, **options: Any) -> None:
        base_url = options["base_url"].rstrip("/")
        if is_somebody_elses():
            self.say(
                "This database has tenants of its own; the demo, with its published password, stays out."
            )
            self.stdout.write(json.dumps({"sign_in": []}))
            return
        try:
            with only_one():
                demos = seed.seed(base_url=base_url, now=clock.real_now(), say=self.say)
        except (ApiError, ReplayError, FutureDayError, Refused) as error:
            raise CommandError(str(error)) from error
        answer = {"sign_in": sign_ins(demos, base_url), "api_keys": str(keys.keys_file())}
        self.stdout.write(json.dumps(answer))

    def say(self, message: str) -> None:
        self.stderr.write(message, style_func=str)


def is_somebody_elses() -> bool:
    """Whether a database that the environment names serves tenants but not the demo's: a real installation."""
    serving = serving_tenants()
    return (
        bool(os.environ.get("DATABASE_URL"))
        and serving.exists()
        and not serving.filter(slug__in=[tenant.slug for tenant in TENANTS]).exists()
    )


@contextmanager
def only_one() -> Iterator[None]:
    """A killed run holds its lock until the database has noticed, so we wait for a moment."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        with session_lock("seed_demo") as is_held:
            if is_held:
                yield
                return
        if time.monotonic() > deadline:
            raise CommandError("Another seed_demo is at work on this database.")
        time.sleep(LOCK_POLL_SECONDS)


def sign_ins(demos: list[DemoTenant], base_url: str) -> list[dict[str, str]]:
    """Tenants first: that is where the invoices are."""
    url = urlsplit(base_url)
    base = settings.TENANT_BASE_DOMAIN
    port = f":{url.port}" if url.port else ""
    found = [(f"{demo.slug}.{base}", demo.olga) for demo in demos]
    found += [(f"{demo.slug}.{base}", demo.sam) for demo in demos if demo.sam]
    found.append((base, OPERATOR_EMAIL))
    return [
        {"url": f"{url.scheme}://{host}{port}/admin/", "email": email, "password": PASSWORD}
        for host, email in found
    ]
