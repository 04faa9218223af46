"""Where the database and the broker are: what the environment names, else the embedded. Starts nothing."""

import os
from typing import Any
from urllib.parse import quote

import dj_database_url

from config.local import broker, postgres

ENGINE = "django_tenants.postgresql_backend"


def database_config() -> dict[str, Any]:
    """Django's DATABASES["default"] without a pool; what DATABASE_URL has as parameters is in OPTIONS."""
    url = os.environ.get("DATABASE_URL") or postgres.url_of(postgres.embedded())
    config: dict[str, Any] = dict(dj_database_url.parse(url, engine=ENGINE))
    # A socket directory comes as a parameter; settings that replace OPTIONS must not lose it.
    options = config.get("OPTIONS", {})
    for option, key in (("host", "HOST"), ("port", "PORT")):
        if option in options:
            config[key] = str(options.pop(option))
    return config


def broker_url() -> str:
    """Celery's broker_url. The path of the socket is quoted: it may contain a space."""
    named = os.environ.get("CELERY_BROKER_URL")
    return named or "redis+socket://" + quote(str(broker.embedded().socket))
