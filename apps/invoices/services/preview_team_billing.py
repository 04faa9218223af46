"""What billing a team to its parent, or stopping it, would do to the parent's next invoices: done, and undone."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from apps.customers.models import Customer, TeamBilling
from apps.invoices.services.upcoming import upcoming_invoices
from apps.rating import exact_sum


@dataclass(frozen=True, slots=True)
class TeamPreview:
    """The payer's cost to date in the open periods, without the change and with it."""

    billing: TeamBilling
    currency: str
    before: Decimal
    after: Decimal


def preview_team_billing(
    verb: Callable[..., TeamBilling], *, team: Customer, now: datetime, **arguments: Any
) -> TeamPreview:
    """Run `verb(team=…, now=…, **arguments)` in a transaction that is rolled back. Raises what the verb raises."""
    with transaction.atomic():
        billing = verb(team=team, now=now, **arguments)
        after = cost_to_date(billing.payer, now)
        transaction.set_rollback(True)
    return TeamPreview(billing, billing.payer.currency, cost_to_date(billing.payer, now), after)


def cost_to_date(payer: Customer, now: datetime) -> Decimal:
    return exact_sum(one.total for one in upcoming_invoices(customer=payer, as_of=now))
