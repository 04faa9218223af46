"""Write an audit entry, in the transaction of what it records."""

from typing import Any

from django.db import models

from apps.audit.models import AuditEntry
from apps.core import request_context


def record(
    *, action: str, target: models.Model, reason: str = "", changes: dict[str, Any] | None = None
) -> AuditEntry:
    """The actor is whoever the request context names: staff in the admin, the key in the API, else the system."""
    context = request_context.current()
    return AuditEntry.objects.create(
        actor_kind=context.actor_kind,
        actor=context.actor,
        action=action,
        target_type=target._meta.label_lower,
        target_id=str(getattr(target, "public_id", "") or target.pk),
        target_label=str(target)[:250],
        reason=reason,
        changes=changes or {},
        request_id=context.request_id,
    )
