"""Which schema is entered. The one place that touches what django-tenants adds to the connection."""

from typing import Any, cast

from django.db import connection
from django_tenants.utils import get_public_schema_name

_connection = cast(Any, connection)


def current_tenant() -> Any:
    """The tenant whose schema is entered; a stand-in without a slug or clock when that is the public one."""
    return _connection.tenant


def schema_name() -> str:
    return str(_connection.schema_name)


def is_public() -> bool:
    return schema_name() == get_public_schema_name()


def enter_tenant(tenant: Any) -> None:
    """For the length of a request; whoever works for a while uses `tenant_context`."""
    _connection.set_tenant(tenant)


def enter_public() -> None:
    _connection.set_schema_to_public()
