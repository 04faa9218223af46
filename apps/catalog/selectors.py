"""Reads of the catalog."""

from apps.catalog.models import Meter, PlanVersion
from apps.core.errors import Missing


def meters_by_event_name() -> dict[str, list[Meter]]:
    """The meters in use, by the event name they count, in one query."""
    found: dict[str, list[Meter]] = {}
    for meter in Meter.objects.filter(archived_at__isnull=True).order_by("pk"):
        found.setdefault(meter.event_name, []).append(meter)
    return found


def published_version(*, plan_code: str, number: int | None = None) -> PlanVersion:
    """The newest published version of a plan, or the one numbered so. Raises `Missing` plan_version_not_found."""
    versions = PlanVersion.objects.filter(plan__code=plan_code, status=PlanVersion.Status.PUBLISHED)
    if number is not None:
        versions = versions.filter(number=number)
    version = versions.select_related("plan").order_by("-number").first()
    if version is None:
        which = f"version {number}" if number is not None else "a published version"
        raise Missing("plan_version_not_found", f"Plan {plan_code!r} has no {which} on offer.", param="/plan")
    return version


def meters_in_use() -> list[Meter]:
    """Meters that are not archived, by name."""
    return list(Meter.objects.filter(archived_at__isnull=True).order_by("name"))
