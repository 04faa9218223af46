from apps.tenants.admin import domain as domain
from apps.tenants.admin import periodic_task as periodic_task
from apps.tenants.admin import tenant as tenant
