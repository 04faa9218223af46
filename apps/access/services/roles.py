"""Roles are groups with the permissions of their job. `ensure_roles` may run after every migration."""

from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission
from django.db.models import Q

# What nobody may do by hand, whatever their role: facts have no form.
VIEW_ONLY_APPS = ("audit",)
SUPPORT_MAY_CHANGE = ("customers",)


def ensure_roles() -> dict[str, Group]:
    """Create or refresh the roles in the schema that is entered: Operations, Support, Read only."""
    for config in apps.get_app_configs():
        create_permissions(config, verbosity=0)
    views = Q(codename__startswith="view_")
    changes = ~views & ~Q(content_type__app_label__in=VIEW_ONLY_APPS)
    wanted = {
        "Operations": views | changes,
        "Support": views | (changes & Q(content_type__app_label__in=SUPPORT_MAY_CHANGE)),
        "Read only": views,
    }
    roles = {}
    for name, which in wanted.items():
        roles[name], _ = Group.objects.get_or_create(name=name)
        roles[name].permissions.set(Permission.objects.filter(which))
    return roles
