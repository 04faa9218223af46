"""What subscriptions know of plan versions: who is on one, whom it was negotiated for, who would move."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Count
from django.http import HttpRequest

from apps.catalog.models import PlanVersion
from apps.core.admin.registry import Panel, register_facts, register_notes, register_panel
from apps.subscriptions.models import NegotiatedVersion, Subscription, SubscriptionAddOn
from apps.subscriptions.selectors import active_subscriptions
from apps.subscriptions.services.move import replaced_by


def counts_on(versions: Iterable[PlanVersion]) -> dict[int, int]:
    """Active subscriptions by version: those on it, and of an add-on those that it is attached to or will be."""
    listed = list(versions)
    running = active_subscriptions().filter(plan_version__in=listed).order_by()
    attached = SubscriptionAddOn.objects.filter(
        plan_version__in=listed, ends_at__isnull=True, subscription__status=Subscription.Status.ACTIVE
    ).order_by()
    rows = (
        found.values_list("plan_version_id").annotate(counted=Count("pk")) for found in (running, attached)
    )
    # A version is a plan's or an add-on's.
    return {pk: count for one in rows for pk, count in one}


def subscribers_note(versions: Iterable[PlanVersion]) -> dict[Any, str]:
    return {
        pk: f"{count:,} active subscription{'' if count == 1 else 's'}"
        for pk, count in counts_on(versions).items()
    }


def negotiated_note(versions: Iterable[PlanVersion]) -> dict[Any, str]:
    rows = NegotiatedVersion.objects.filter(plan_version__in=list(versions)).select_related("customer")
    return {row.plan_version_id: f"Negotiated with {row.customer}" for row in rows}


def movable(version: PlanVersion) -> dict[str, Any]:
    """Empty when nobody would move: then nobody is asked about it."""
    count = replaced_by(version).count()
    if not count:
        return {}
    place = "On what it replaces" if version.is_negotiated else "On older versions"
    return {place: f"{count:,} subscription{'' if count == 1 else 's'}"}


def subscribers_of(request: HttpRequest, version: PlanVersion) -> dict[str, Any]:
    negotiated = NegotiatedVersion.objects.filter(plan_version=version).select_related("customer").first()
    return {
        "version": version,
        "count": counts_on([version]).get(version.pk, 0),
        "customer": negotiated.customer if negotiated else None,
        "may_negotiate": request.user.has_perm("subscriptions.add_negotiatedversion"),
    }


register_notes("catalog.planversion", negotiated_note)
register_notes("catalog.planversion", subscribers_note)
register_facts("catalog.planversion.publish", movable)
register_panel(
    "catalog.planversion",
    Panel(
        20,
        "admin/subscriptions/subscription/of_version.html",
        "subscriptions.view_subscription",
        subscribers_of,
        is_wide=True,
    ),
)
