#!/usr/bin/env python
"""Django's command line. Without DATABASE_URL it brings up the embedded PostgreSQL for as long as the command runs."""

import os
import sys

from config.local.postgres import lease_if_embedded


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
    try:
        from django.core.management import execute_from_command_line
    except ModuleNotFoundError as missing:
        raise SystemExit(
            f"{missing.name} is not installed in {sys.executable}.\n"
            "Run `make run` once (it creates .venv), then call `.venv/bin/python manage.py …`."
        ) from missing
    with lease_if_embedded():
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
