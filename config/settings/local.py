"""One machine, nothing installed: `make run`, `make shell` and `manage.py`."""

from config.local.secrets import local_secret_key

from .base import *
from .base import STORAGES

SECRET_KEY = local_secret_key()
DEBUG = False
ALLOWED_HOSTS = ["localhost", ".localhost", "127.0.0.1", "[::1]"]
# Served straight from the apps, so that nothing has to be collected before the first page.
WHITENOISE_USE_FINDERS = True
STORAGES = {
    **STORAGES,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
