"""The suite: fixed key, cheap password hashes, an embedded server of its own (see tests/conftest.py)."""

from .base import *
from .base import DATABASE, STORAGES

SECRET_KEY = "only-for-tests"
DEBUG = False
ALLOWED_HOSTS = ["*"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
STORAGES = {
    **STORAGES,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# One connection a thread, closed by its owner: the suite copies whole databases and must be able to drop them.
DATABASES = {"default": {**DATABASE, "CONN_MAX_AGE": 0}}
CELERY_TASK_ALWAYS_EAGER = False
CELERY_BROKER_URL = "memory://"
# Tests name their dates; the limit for backdating has tests of its own.
INGESTION_BACKDATING_DAYS = 100 * 365
