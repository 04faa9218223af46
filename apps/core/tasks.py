"""The task class of the whole installation: a task runs in the schema it was sent from, or fails."""

from typing import Any

from celery.contrib.django.task import DjangoTask
from django_tenants.utils import get_public_schema_name, get_tenant_model, schema_context, tenant_context

from apps.core.schema import schema_name

SCHEMA_HEADER = "countinghouse_schema"


class TenantTask(DjangoTask):
    """Carry the schema in a header. A task whose tenant is gone raises: it must never run in another's schema."""

    abstract = True

    def apply_async(self, args: Any = None, kwargs: Any = None, *positional: Any, **options: Any) -> Any:
        headers = {SCHEMA_HEADER: schema_name(), **(options.pop("headers", None) or {})}
        return super().apply_async(args, kwargs, *positional, headers=headers, **options)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        # Beat sends by name from the public schema and so without the header.
        schema = self.request.get(SCHEMA_HEADER) or (self.request.headers or {}).get(SCHEMA_HEADER)
        if schema is None or schema == get_public_schema_name():
            with schema_context(get_public_schema_name()):
                return super().__call__(*args, **kwargs)
        tenant = get_tenant_model().objects.get(schema_name=schema)
        with tenant_context(tenant):
            return super().__call__(*args, **kwargs)
