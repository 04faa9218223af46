"""What a new tenant needs of access: roles, its first staff user, its first API key."""

import secrets
from typing import Any

from apps.access.models import ApiKey, Scope, StaffUser
from apps.access.services.api_keys import create_api_key
from apps.access.services.roles import ensure_roles
from apps.tenants.models import Tenant
from apps.tenants.services.provision import ProvisionRequest


def provision_access(tenant: Tenant, request: ProvisionRequest) -> dict[str, Any]:
    """Runs inside the new schema. A second run (after an interruption) replaces the unseen secrets of the first."""
    roles = ensure_roles()
    password = request.staff_password or secrets.token_urlsafe(12)
    user = StaffUser.objects.filter(email__iexact=request.staff_email).first()
    if user is None:
        user = StaffUser(email=request.staff_email, name=request.staff_name)
    user.set_password(password)
    user.save()
    user.groups.set([roles["Operations"]])
    ApiKey.objects.filter(name="Default").delete()
    scopes = [scope for scope in Scope.values if tenant.is_sandbox or scope != Scope.TEST_CLOCK]
    new = create_api_key(tenant=tenant, name="Default", scopes=scopes)
    return {"staff": {"email": user.email, "password": password}, "api_key": new.key}
