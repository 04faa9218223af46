"""Bill a team's usage to its parent, from an instant on, and stop that again."""

from datetime import datetime

from django.db import models, transaction

from apps.audit.services.record import record
from apps.core.errors import Invalid, Refused
from apps.core.text import instant_text
from apps.customers.models import Customer, TeamBilling
from apps.customers.selectors import team_billings_ending_after
from apps.subscriptions.models import Subscription
from apps.subscriptions.services.double_billing import refuse_team_billed_itself
from apps.subscriptions.services.family import lock_family


class Starting(models.TextChoices):
    """When it begins, or ends: chosen by whoever asks."""

    NOW = "now", "Now"
    DATE = "date", "At a certain time"


@transaction.atomic
def bill_team_to_parent(
    *, team: Customer, when: str, now: datetime, at: datetime | None = None, reason: str = ""
) -> TeamBilling:
    """From an instant on the parent's subscriptions price the team's usage with its own.

    The instant may lie in the past, as long as nothing of the parent is billed for the time after it. What the team
    used before stays what it was. Raises `Refused` no_parent, already_billed_to_parent, team_pays_for_teams,
    parent_is_billed_elsewhere, team_billed_itself, and for the time what `instant_of` raises.
    """
    team = held(team)
    payer = team.parent
    if payer is None:
        raise Refused("no_parent", f"{team} has no parent to be billed to. Give the team its parent first.")
    starts_at = instant_of(payer, when=when, at=at, now=now)
    known = team_billings_ending_after(starts_at).filter(team=team).select_related("payer").first()
    if known is not None:
        raise Refused(
            "already_billed_to_parent",
            f"{team} is billed to {known.payer} from {instant_text(known.starts_at)} on; stop that first.",
        )
    refuse_chains(team, payer, starts_at)
    refuse_team_billed_itself(team=team, payer=payer, start=starts_at, end=None)
    billing = TeamBilling.objects.create(team=team, payer=payer, starts_at=starts_at)
    record(
        action="customer.billed_to_parent",
        target=team,
        reason=reason,
        changes={"payer": payer.public_id, "starts_at": instant_text(starts_at)},
    )
    return billing


@transaction.atomic
def stop_billing_team_to_parent(
    *, team: Customer, when: str, now: datetime, at: datetime | None = None, reason: str = ""
) -> TeamBilling:
    """From an instant on the team's usage is its own again. What has not begun by then never was, and is deleted.

    Stopping again replaces what was said before, as long as that is still to come. Raises `Refused`
    not_billed_to_parent, ends_before, and for the time what `instant_of` raises.
    """
    team = held(team)
    running = (
        team_billings_ending_after(now)
        .filter(team=team)
        .select_related("payer")
        .order_by("starts_at")
        .first()
    )
    if running is None:
        raise Refused("not_billed_to_parent", f"{team} is not billed to a parent.")
    ends_at = instant_of(running.payer, when=when, at=at, now=now)
    before = running.ends_at
    if before is not None and ends_at > before:
        raise Refused(
            "ends_before",
            f"It ends at {instant_text(before)} already; bill the team to its parent anew from then on.",
            param="/at",
        )
    record(
        action="customer.billed_itself",
        target=team,
        reason=reason,
        changes={
            "payer": running.payer.public_id,
            "ends_at": [before and instant_text(before), instant_text(ends_at)],
        },
    )
    running.ends_at = max(ends_at, running.starts_at)
    if ends_at <= running.starts_at:
        running.delete()
    else:
        running.save(update_fields=["ends_at"])
    return running


def held(team: Customer) -> Customer:
    """The rows of team and parent, and the parent's subscriptions: no period is closed meanwhile."""
    found: Customer | None = None
    parent_id: int | None = Customer.objects.values_list("parent_id", flat=True).get(pk=team.pk)
    # It may get another parent while this waits, whose row has to be held as well. Held, the team keeps its parent.
    while found is None or found.parent_id != parent_id:
        parent_id = parent_id if found is None else found.parent_id
        lock_family([team.pk] if parent_id is None else [team.pk, parent_id])
        found = Customer.objects.select_related("parent").get(pk=team.pk)
    payers = TeamBilling.objects.filter(team=team).values("payer_id")
    concerned = Subscription.objects.filter(
        models.Q(customer_id=found.parent_id) | models.Q(customer_id__in=payers)
    )
    list(concerned.order_by("pk").select_for_update().values_list("pk", flat=True))
    return found


def instant_of(payer: Customer, *, when: str, at: datetime | None, now: datetime) -> datetime:
    """Never before what a subscription of the payer has billed.

    Raises `Invalid` invalid_when, missing_field, field_not_allowed; `Refused` already_billed.
    """
    if when not in Starting.values:
        raise Invalid("invalid_when", "Say when: now or date.", param="/when")
    if when == Starting.DATE and at is None:
        raise Invalid("missing_field", "Say from which time on.", param="/at")
    if when != Starting.DATE and at is not None:
        raise Invalid("field_not_allowed", "A time is given only with “date”.", param="/at")
    instant = now if at is None else at
    billed_until = billed_until_of(payer)
    if billed_until is None or instant >= billed_until:
        return instant
    if when == Starting.NOW:
        return billed_until
    raise Refused(
        "already_billed",
        f"{payer} is billed until {instant_text(billed_until)}; choose that time or a later one.",
        param="/at",
    )


def billed_until_of(payer: Customer) -> datetime | None:
    """How far the subscription has billed that is farthest; one that has billed nothing says nothing."""
    billed = Subscription.objects.filter(customer=payer, invoiced_until__gt=models.F("started_at"))
    found: datetime | None = billed.aggregate(at=models.Max("invoiced_until"))["at"]
    return found


def refuse_chains(team: Customer, payer: Customer, since: datetime) -> None:
    """One step only: usage that went on to a parent's parent would be nobody's to explain."""
    later = team_billings_ending_after(since)
    if later.filter(payer=team).exists():
        raise Refused(
            "team_pays_for_teams",
            f"{team} pays for teams of its own and can't be billed to its parent. Let {payer} be the parent of these"
            " teams instead.",
        )
    if later.filter(team=payer).exists():
        raise Refused(
            "parent_is_billed_elsewhere",
            f"{payer} is billed to its own parent and can't pay for teams. Let that one be the parent of {team}.",
        )
