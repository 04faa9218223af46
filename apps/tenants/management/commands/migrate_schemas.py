"""django-tenants' migrate_schemas, after what interrupted provisionings left has been thrown away.

A kill may fall between a migration and the record of it; such a schema would stop the migration of all others.
"""

from typing import Any

from django.db import connection
from django_tenants.management.commands.migrate_schemas import Command as MigrateSchemas

from apps.tenants.models import Tenant
from apps.tenants.services.provision import discard_interrupted


class Command(MigrateSchemas):
    def handle(self, *args: Any, **options: Any) -> Any:
        if not options.get("schema_name") and Tenant._meta.db_table in connection.introspection.table_names():
            discard_interrupted()
        return super().handle(*args, **options)
