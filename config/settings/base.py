"""What is the same everywhere. Nothing here reads a secret; `local`, `test` and `production` add theirs."""

import os
from datetime import timedelta
from pathlib import Path

from config.local.endpoints import broker_url, database_config
from config.settings.admin import *

BASE_DIR = Path(__file__).resolve().parent.parent.parent

# Users, sessions and content types live in every schema: an operator of the platform is nobody in a
# tenant, and a tenant's cookie is worth nothing elsewhere.
EVERY_SCHEMA = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.admin",
    "apps.core",
    "apps.access",
    "apps.audit",
]
SHARED_APPS = [
    # unfold's templates must win over django_tenants' and the admin's.
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.import_export",
    # Our create_tenant command stands before django_tenants' own.
    "apps.tenants",
    "django_tenants",
    *EVERY_SCHEMA,
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_celery_beat",
    "django_filters",
    "import_export",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]
TENANT_APPS = [
    *EVERY_SCHEMA,
    "apps.customers",
    "apps.catalog",
    "apps.subscriptions",
    "apps.usage",
    "apps.invoices",
    "apps.analytics",
    "apps.demo",
]
INSTALLED_APPS = [*SHARED_APPS, *(app for app in TENANT_APPS if app not in SHARED_APPS)]

TENANT_MODEL = "tenants.Tenant"
TENANT_DOMAIN_MODEL = "tenants.Domain"
PUBLIC_SCHEMA_URLCONF = "config.urls_platform"
ROOT_URLCONF = "config.urls_tenant"
# One SET search_path per switch, not one per cursor.
TENANT_LIMIT_SET_CALLS = True
# The platform answers on these hosts; every other host is looked up among the tenants' domains.
PLATFORM_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
# A tenant's first domain is its slug under this one.
TENANT_BASE_DOMAIN = "localhost"

MIDDLEWARE = [
    "apps.core.middleware.RequestIdMiddleware",
    "apps.core.middleware.HealthMiddleware",
    "apps.core.middleware.RefuseNulMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "apps.tenants.middleware.TenantByHostMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "apps.audit.middleware.ActorMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
WSGI_APPLICATION = "config.wsgi.application"

# A pool for each process; connections go back after each request, and every checkout sets its schema.
DATABASE = database_config()
DATABASES = {
    "default": {
        **DATABASE,
        "CONN_MAX_AGE": 0,
        # A connection that died with the server is noticed when it leaves the pool, not by the request.
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {**DATABASE.get("OPTIONS", {}), "pool": {"min_size": 0, "max_size": 16, "timeout": 20}},
    }
}
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "KEY_FUNCTION": "django_tenants.cache.make_key",
        "REVERSE_KEY_FUNCTION": "django_tenants.cache.reverse_key",
    }
}
STORAGES = {
    "default": {"BACKEND": "django_tenants.files.storage.TenantFileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
MULTITENANT_RELATIVE_MEDIA_ROOT = "tenants/%s"
MEDIA_ROOT = BASE_DIR / ".local" / "media"
# Nothing is collected on one machine: whitenoise serves from the apps. Production sets it.
STATIC_ROOT: Path | None = None
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]

AUTH_USER_MODEL = "access.StaffUser"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
# The session cookie carries no Domain attribute, so acme's is never sent to globex.
SESSION_COOKIE_NAME = "countinghouse_session"
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = int(timedelta(hours=12).total_seconds())
X_FRAME_OPTIONS = "SAMEORIGIN"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
USE_THOUSAND_SEPARATOR = True

# POST /api/v1/events answers 413 above this many bytes, before and after decompression, and this many events.
INGESTION_MAX_BYTES = int(os.environ.get("INGESTION_MAX_BYTES") or 1024 * 1024)
INGESTION_MAX_EVENTS = int(os.environ.get("INGESTION_MAX_EVENTS") or 1000)
# How old an event may be, for tenants that have no limit of their own.
INGESTION_BACKDATING_DAYS = 35
# Small requests of one tenant that wait for each other are stored together, up to so much in one transaction.
INGESTION_GROUP_EVENTS = 4000
INGESTION_GROUP_REQUESTS = 64
# Transactions of one tenant at once in each web process. The others wait and make the next group bigger; two at once
# were slower, since they wait for each other's rows.
INGESTION_GROUPS_AT_ONCE = 1
# What a web process holds of events that are not stored yet, as they came and decoded, where a byte may become 55;
# above it, and one tenant above half of it, clients are told to come again (503).
INGESTION_HELD_BYTES = 128 * INGESTION_MAX_BYTES
# A body that is still not complete after so many seconds is given up (408).
INGESTION_BODY_SECONDS = int(os.environ.get("INGESTION_BODY_SECONDS") or 30)
# Events a second that a key without a limit of its own may report; none where this is not set.
INGESTION_RATE_LIMIT = int(os.environ.get("INGESTION_RATE_LIMIT") or 0) or None
# Old events are archived here, as parquet or csv, in a directory for each tenant. Web and workers share it.
USAGE_ARCHIVE_DIR = Path(os.environ.get("USAGE_ARCHIVE_DIR") or BASE_DIR / ".local" / "archives")
USAGE_ARCHIVE_FORMAT = os.environ.get("USAGE_ARCHIVE_FORMAT") or "parquet"
# Files of usage that staff upload, and the reports on them; likewise.
USAGE_IMPORT_DIR = Path(os.environ.get("USAGE_IMPORT_DIR") or BASE_DIR / ".local" / "imports")
DATA_UPLOAD_MAX_MEMORY_SIZE = max(5 * 1024 * 1024, INGESTION_MAX_BYTES)
# A form with files may be so large and take so many seconds; other bodies have the limits above. What a web process
# holds of them, in memory and in temporary files, is bounded as well.
WEB_UPLOAD_BYTES = int(os.environ.get("WEB_UPLOAD_BYTES") or 1024 * 1024 * 1024)
WEB_UPLOAD_SECONDS = int(os.environ.get("WEB_UPLOAD_SECONDS") or 600)
WEB_HELD_BYTES = 2 * WEB_UPLOAD_BYTES

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["apps.access.api.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["apps.access.api.permissions.HasScope"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "apps.core.api.negotiation.JSONOnly",
    "DEFAULT_PARSER_CLASSES": ["apps.core.api.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["apps.core.api.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "apps.core.api.pagination.CursorPagination",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "EXCEPTION_HANDLER": "apps.core.api.problems.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "COERCE_DECIMAL_TO_STRING": True,
    "DATETIME_FORMAT": "iso-8601",
    "PAGE_SIZE": 25,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Countinghouse API",
    "DESCRIPTION": "Report usage, manage customers and plans, read live spend and invoices.",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "BillingRunKind": "apps.invoices.models.BillingRun.Kind",
        "BillingRunState": "apps.invoices.models.BillingRun.State",
        "InvoiceKindEnum": "apps.invoices.models.Invoice.Kind",
        "InvoiceLineKindEnum": "apps.invoices.models.InvoiceLine.Kind",
        "InvoiceStatus": "apps.invoices.models.Invoice.Status",
        "IntervalUnit": "apps.catalog.models.PlanVersion.Unit",
        "MeterStatus": "apps.catalog.models.Meter.Status",
        "PlanKind": "apps.catalog.models.Plan.Kind",
        "PlanVersionStatus": "apps.catalog.models.PlanVersion.Status",
        "SubscriptionStorefront": "apps.subscriptions.api.serializers.STOREFRONTS",
        "SubscriptionWhen": "apps.subscriptions.services.when.When",
        "TeamBillingWhen": "apps.subscriptions.services.team_billing.Starting",
        "SubscriptionStatus": "apps.subscriptions.models.Subscription.Status",
        "VerdictStatus": "apps.usage.api.serializers.VERDICTS",
    },
}

CELERY_BROKER_URL = broker_url()
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_IGNORE_RESULT = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Unacknowledged tasks of a killed worker come back after the visibility timeout, which must exceed the
# longest task; the sweep for them runs every tick instead of every hundredth.
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 900, "unacked_restore_throttle": 1}
CELERY_TASK_TIME_LIMIT = 600
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_SCHEDULE = {
    "run-due-jobs": {
        "task": "tenants.run_due_jobs_everywhere",
        "schedule": timedelta(seconds=30),
        # A tick that waited longer than this is dropped: the next one does the same work.
        "options": {"expires": 60},
    },
}
DJANGO_CELERY_BEAT_TZ_AWARE = True
CELERY_TIMEZONE = "UTC"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"context": {"()": "apps.core.logs.ContextFilter"}},
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s [%(tenant)s %(request_id)s] %(message)s"},
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["context"]},
    },
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        "django.server": {"level": "WARNING"},
        # An integrator's 404 is their news, not ours; what breaks here is an error.
        "django.request": {"level": "ERROR"},
    },
}
