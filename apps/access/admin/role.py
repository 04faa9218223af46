"""Roles: groups of permissions. The three that every tenant has are refreshed after each migration."""

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from apps.core.admin.base import BackOfficeAdmin
from apps.core.admin_sites import tenant_site

# What a role is about; sessions, content types and the platform's tables are nobody's business here.
APPS = ("access", "audit", "auth", "catalog", "customers", "invoices", "subscriptions", "usage")


class RoleAdmin(BackOfficeAdmin):
    list_title = "Roles"
    list_display = ("name", "members", "permission_count")
    search_fields = ("name",)
    filter_horizontal = ("permissions",)
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        counted = {
            "members_counted": Count("user", distinct=True),
            "permissions_counted": Count("permissions", distinct=True),
        }
        queryset: QuerySet[Group] = super().get_queryset(request)
        return queryset.annotate(**counted)

    @display(description="Members", ordering="members_counted")
    def members(self, group: Any) -> int:
        return int(group.members_counted)

    @display(description="Permissions", ordering="permissions_counted")
    def permission_count(self, group: Any) -> int:
        return int(group.permissions_counted)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "permissions":
            offered = Permission.objects.filter(content_type__app_label__in=APPS).exclude(
                # Nothing is deleted here, and nobody writes the audit log.
                Q(codename__startswith="delete_")
                | (Q(content_type__app_label="audit") & ~Q(codename__startswith="view_"))
            )
            kwargs["queryset"] = offered.select_related("content_type")
        return super().formfield_for_manytomany(db_field, request, **kwargs)


tenant_site.register(Group, RoleAdmin)
