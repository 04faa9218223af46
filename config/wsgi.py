"""WSGI entry point for gunicorn."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")

from django.core.wsgi import get_wsgi_application

from apps.core.chunked import with_length
from config.celery import app as celery_app  # noqa: F401 - tasks are sent from here too

application = with_length(get_wsgi_application())
