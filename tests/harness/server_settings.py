"""The test settings for processes of their own: with the connection pool of `make run` and production."""

import os

from config.settings import base
from config.settings.test import *  # noqa: F403

DATABASES = base.DATABASES
CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL", "memory://")
