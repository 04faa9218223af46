"""`manage.py create_tenant acme`: schema, staff user and API key, printed as JSON; the secrets are shown only here."""

import json
from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.core.errors import Refused
from apps.tenants.services import provision


def instant(text: str) -> datetime:
    value = datetime.fromisoformat(text)
    return value if value.tzinfo else value.replace(tzinfo=UTC)


class Command(BaseCommand):
    help = "Create a tenant with its schema, a staff user and an API key, and print them as JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", help="lower-case letters, digits and hyphens; becomes the host name")
        parser.add_argument("--name", default="", help="display name (default: the slug)")
        parser.add_argument(
            "--sandbox", action="store_true", help="a tenant with test keys and a clock of its own"
        )
        parser.add_argument(
            "--at", type=instant, help="where the sandbox's clock starts, ISO 8601 (default: now)"
        )
        parser.add_argument(
            "--email", default="", help="sign-in of the staff user (default: ops@<slug>.example)"
        )
        parser.add_argument("--password", default="", help="default: a random one")

    def handle(self, *args: Any, **options: Any) -> None:
        slug = options["slug"]
        request = provision.ProvisionRequest(
            staff_email=options["email"] or f"ops@{slug}.example", staff_password=options["password"]
        )
        try:
            answer = provision.provision_tenant(
                slug=slug,
                name=options["name"],
                is_sandbox=options["sandbox"],
                at=options["at"],
                request=request,
            )
        except Refused as error:
            raise CommandError(error.message) from error
        self.stdout.write(json.dumps(answer, indent=2, default=str))
