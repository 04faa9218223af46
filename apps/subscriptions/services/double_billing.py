"""Two subscriptions of a customer to one plan, or to one meter, at one time would bill the same usage twice."""

from collections.abc import Iterable
from datetime import UTC, datetime

from django.db.models import Q

from apps.catalog.models import PlanVersion
from apps.core.errors import Refused
from apps.subscriptions.models import Subscription, SubscriptionPhase
from apps.subscriptions.timeline import Timeline

Span = tuple[datetime, datetime]
# What one subscription of a customer has for itself at a time: a plan or a meter, by its key.
Claims = dict[tuple[str, int], list[Span]]
PLAN, METER = "plan", "meter"
FOREVER = datetime.max.replace(tzinfo=UTC)


def refuse_double_billing(
    subscription: Subscription, *, before: Timeline | None, after: Timeline, param: str = ""
) -> None:
    """Look at the time that `after` has and `before` had not, whatever it was gained by; other time is not judged.

    Inside a transaction that holds the customer's row. Others count by their phases, also when they have ended:
    what they billed is billed. Raises `Refused` already_subscribed, meter_billed_elsewhere.
    """
    gained = without(claims_of(after), {} if before is None else claims_of(before))
    if not gained:
        return
    taken = claims_of_others(subscription, min(start for spans in gained.values() for start, _ in spans))
    found = {key for key, spans in gained.items() if overlapping(spans, taken.get(key, []))}
    customer, version = subscription.customer, subscription.plan_version
    if any(kind == PLAN for kind, _ in found):
        raise Refused("already_subscribed", f"{customer} is on the plan {version.plan} already.", param=param)
    if found:
        raise Refused(
            "meter_billed_elsewhere",
            f"Another subscription of {customer} bills a meter of {version}; usage would be billed twice.",
            param=param,
        )


def claims_of(timeline: Timeline) -> Claims:
    ends_at = timeline.ends_at or FOREVER
    versions = PlanVersion.objects.filter(pk__in={stage.version_id for stage in timeline.stages})
    keys: dict[int, set[tuple[str, int]]] = {}
    for pk, plan_id, meter_id in versions.order_by().values_list("pk", "plan_id", "prices__meter_id"):
        keys.setdefault(pk, set()).update(keys_of(plan_id, meter_id))
    found: Claims = {}
    for stage in timeline.stages:
        for key in keys[stage.version_id]:
            add(found, key, stage.start, min(stage.end or FOREVER, ends_at))
    return found


def claims_of_others(subscription: Subscription, since: datetime) -> Claims:
    """Those of the customer's other subscriptions, at `since` or later."""
    phases = SubscriptionPhase.objects.filter(
        Q(ends_at__isnull=True) | Q(ends_at__gt=since), subscription__customer_id=subscription.customer_id
    ).exclude(subscription_id=subscription.pk)
    rows = phases.order_by().values_list(
        "starts_at",
        "ends_at",
        "subscription__ends_at",
        "plan_version__plan_id",
        "plan_version__prices__meter_id",
    )
    found: Claims = {}
    for start, end, ends_at, plan_id, meter_id in rows:
        for key in keys_of(plan_id, meter_id):
            add(found, key, start, min(end or FOREVER, ends_at or FOREVER))
    return found


def keys_of(plan_id: int, meter_id: int | None) -> list[tuple[str, int]]:
    return [(PLAN, plan_id)] if meter_id is None else [(PLAN, plan_id), (METER, meter_id)]


def add(claims: Claims, key: tuple[str, int], start: datetime, end: datetime) -> None:
    if start < end:
        claims.setdefault(key, []).append((start, end))


def without(claims: Claims, known: Claims) -> Claims:
    """The time of `claims` that is not of `known`."""
    found: Claims = {}
    for key, spans in claims.items():
        left = spans
        for start, end in known.get(key, []):
            left = [rest for span in left for rest in cut(span, start, end)]
        if left:
            found[key] = left
    return found


def cut(span: Span, start: datetime, end: datetime) -> list[Span]:
    """What is left of `span` before `start` and after `end`."""
    rests = [(span[0], min(span[1], start)), (max(span[0], end), span[1])]
    return [rest for rest in rests if rest[0] < rest[1]]


def overlapping(spans: Iterable[Span], others: Iterable[Span]) -> bool:
    others = list(others)
    return any(start < its_end and its_start < end for start, end in spans for its_start, its_end in others)
