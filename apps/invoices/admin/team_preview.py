"""Before a team is billed to its parent, or not any more: what the parent's next invoices would say."""

from typing import Any

from apps.core.admin.display import instant_text
from apps.core.admin.registry import register_facts
from apps.core.money import money_display
from apps.invoices.services.preview_team_billing import preview_team_billing
from apps.subscriptions.admin.team_billing import QUESTION, AskedOfTeam


def facts(asked: AskedOfTeam) -> dict[str, Any]:
    """Raises what the verb raises."""
    found = preview_team_billing(asked.verb, team=asked.team, now=asked.now, **asked.given)
    ends_at, zone = found.billing.ends_at, asked.team.time_zone
    before, after = (money_display(amount, found.currency) for amount in (found.before, found.after))
    return {
        "Payer": found.billing.payer,
        "From": instant_text(found.billing.starts_at, zone),
        "Until": "No end" if ends_at is None else instant_text(ends_at, zone),
        "Cost to date of the payer": f"{before} now, {after} with it",
    }


register_facts(QUESTION, facts)
