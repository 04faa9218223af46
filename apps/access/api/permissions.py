"""A view names the scope it needs, one for all methods or one for reading and one for writing."""

from typing import Any

from rest_framework.exceptions import MethodNotAllowed, NotAuthenticated, PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from apps.access.models import ApiKey


class HasScope(BasePermission):
    """Reads `required_scope`, or `read_scope` and `write_scope`, off the view. A view without one is closed."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not isinstance(request.auth, ApiKey):
            raise NotAuthenticated(
                "Send your API key as 'Authorization: Bearer <key>'.", code="not_authenticated"
            )
        if request.method not in view.allowed_methods:
            # Otherwise a view that is only written to would call reading it a matter of scopes.
            raise MethodNotAllowed(str(request.method))
        wanted = getattr(view, "required_scope", "") or getattr(
            view, "read_scope" if request.method in SAFE_METHODS else "write_scope", ""
        )
        if not wanted or wanted not in request.auth.scopes:
            raise PermissionDenied(f"This API key lacks the scope {str(wanted)!r}.", code="missing_scope")
        return True
