"""Production: everything comes from the environment, and what is missing stops the start with its name."""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from .base import *


def required(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise ImproperlyConfigured(f"Set {name}.")
    return value


required("DATABASE_URL")
required("CELERY_BROKER_URL")
SECRET_KEY = required("SECRET_KEY")
DEBUG = False
# The platform's own host; tenants are <slug>.<TENANT_BASE_DOMAIN>.
TENANT_BASE_DOMAIN = required("BASE_DOMAIN")
PLATFORM_HOSTS = [TENANT_BASE_DOMAIN]
ALLOWED_HOSTS = [TENANT_BASE_DOMAIN, f".{TENANT_BASE_DOMAIN}"]

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = True
# The load balancer asks over plain HTTP.
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
SECURE_HSTS_SECONDS = 31536000
STATIC_ROOT = Path(os.environ.get("STATIC_ROOT", "/srv/countinghouse/static"))
MEDIA_ROOT = Path(os.environ.get("MEDIA_ROOT", "/srv/countinghouse/media"))
