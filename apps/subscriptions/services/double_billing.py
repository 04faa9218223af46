"""Two subscriptions of a customer to one plan, or to one meter, at one time would bill the same usage twice.

So would a team's own subscription beside one of the parent that it is billed to, as long as it is: for meters.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime

from django.db.models import Q

from apps.catalog.models import Meter, PlanVersion
from apps.core.errors import Refused
from apps.customers.models import Customer
from apps.customers.selectors import team_billings_ending_after
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

    Inside a transaction that holds the rows of the customer and of the parents it is billed to. Others count by
    their phases, also when they have ended: what they billed is billed. Raises `Refused` already_subscribed,
    meter_billed_elsewhere, meter_billed_in_family.
    """
    gained = without(claims_of(after), {} if before is None else claims_of(before))
    if not gained:
        return
    since = min(start for spans in gained.values() for start, _ in spans)
    taken = claims_of_others(subscription, since)
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
    refuse_in_family(subscription, gained, since, param)


def refuse_in_family(subscription: Subscription, gained: Claims, since: datetime, param: str) -> None:
    """What a team would be billed itself while its parent's subscriptions bill it, or the other way around."""
    customer_id = subscription.customer_id
    billings = list(
        team_billings_ending_after(since)
        .filter(Q(team_id=customer_id) | Q(payer_id=customer_id))
        .select_related("team", "payer")
    )
    if not billings:
        return
    claims = claims_by_customer(
        {one.payer_id if one.team_id == customer_id else one.team_id for one in billings}, since
    )
    for one in billings:
        is_team = one.team_id == customer_id
        theirs = within(claims.get(one.payer_id if is_team else one.team_id, {}), one.starts_at, one.ends_at)
        if any(overlapping(spans, theirs.get(key, [])) for key, spans in gained.items()):
            who = (
                f"{one.payer} pays for {one.team} and bills a meter"
                if is_team
                else f"{one.team} is billed to {one.payer}, and has a subscription of its own for a meter"
            )
            raise Refused(
                "meter_billed_in_family",
                f"{who} of {subscription.plan_version}; usage would be billed twice. End one of the two first.",
                param=param,
            )


def refuse_team_billed_itself(
    *, team: Customer, payer: Customer, start: datetime, end: datetime | None
) -> None:
    """Before a team is billed to its parent, with the rows of both held. Raises `Refused` team_billed_itself."""
    claims = claims_by_customer({team.pk, payer.pk}, start)
    own, theirs = (within(claims.get(one.pk, {}), start, end) for one in (team, payer))
    found = sorted(pk for kind, pk in own if overlapping(own[kind, pk], theirs.get((kind, pk), [])))
    if found:
        names = ", ".join(Meter.objects.filter(pk__in=found).order_by("name").values_list("name", flat=True))
        raise Refused(
            "team_billed_itself",
            f"A subscription of {team} and one of {payer} both price {names}; usage would be billed twice. End the"
            " team's own, or choose a time after its end.",
        )


def within(claims: Claims, start: datetime, end: datetime | None) -> Claims:
    """The part of claims of meters that lies in `[start, end)`: a plan may be had by a team and its parent."""
    found: Claims = {}
    for key, spans in claims.items():
        for from_at, until_at in spans if key[0] == METER else []:
            add(found, key, max(from_at, start), min(until_at, end or FOREVER))
    return found


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
    customer_id = subscription.customer_id
    return claims_by_customer({customer_id}, since, leave_out=subscription.pk).get(customer_id, {})


def claims_by_customer(
    customer_ids: Collection[int], since: datetime, leave_out: int | None = None
) -> dict[int, Claims]:
    """Those of all their subscriptions but one, at `since` or later; one query."""
    phases = SubscriptionPhase.objects.filter(
        Q(ends_at__isnull=True) | Q(ends_at__gt=since), subscription__customer_id__in=customer_ids
    )
    if leave_out is not None:
        phases = phases.exclude(subscription_id=leave_out)
    rows = phases.order_by().values_list(
        "subscription__customer_id",
        "starts_at",
        "ends_at",
        "subscription__ends_at",
        "plan_version__plan_id",
        "plan_version__prices__meter_id",
    )
    found: dict[int, Claims] = {}
    for customer_id, start, end, ends_at, plan_id, meter_id in rows:
        for key in keys_of(plan_id, meter_id):
            add(found.setdefault(customer_id, {}), key, start, min(end or FOREVER, ends_at or FOREVER))
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
