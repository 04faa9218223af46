"""The terms of a plan version: a form while it is a draft, words once it is frozen."""

from typing import Any, ClassVar

from django.http import HttpRequest
from unfold.decorators import display

from apps.catalog.admin.wording import every_text
from apps.catalog.models import PlanVersion
from apps.core.admin.base import BackOfficeAdmin

HEAD = (("plan", "number"), ("state", "published_at_shown"), ("offer", "currency"))
REST = (("proration",), ("trial_days", "trial_covers"))


class VersionTerms(BackOfficeAdmin):
    fields: ClassVar[Any] = (
        *HEAD,
        ("interval_unit", "interval_count"),
        ("usage_interval_unit", "usage_interval_count"),
        *REST,
    )

    def get_fields(self, request: HttpRequest, obj: PlanVersion | None = None) -> Any:
        """An add-on has the interval of its fees for terms; the rest is the subscription's."""
        is_add_on = obj is not None and obj.plan.is_add_on
        if obj is None or self.has_change_permission(request, obj):
            return self.fields[:4] if is_add_on else self.fields
        return (*HEAD, ("fees_every",)) if is_add_on else (*HEAD, ("fees_every", "usage_every"), *REST)

    @display(description="Fees")
    def fees_every(self, version: PlanVersion) -> str:
        return every_text(version.interval_unit, version.interval_count)

    @display(description="Usage")
    def usage_every(self, version: PlanVersion) -> str:
        if not version.usage_interval_unit:
            return "As the fees"
        return every_text(version.usage_interval_unit, version.usage_interval_count or 1)
