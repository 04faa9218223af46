"""From which unbilled amount on usage is billed before its period is over."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from apps.audit.services.record import record
from apps.core.errors import Refused
from apps.core.money import money_text
from apps.subscriptions.models import Subscription
from apps.subscriptions.services import rewrite
from apps.subscriptions.services.threshold import check_threshold
from apps.subscriptions.services.when import refuse_ended


@transaction.atomic
def set_billing_threshold(
    *, subscription: Subscription, now: datetime, amount: Decimal | None = None, reason: str = ""
) -> Subscription:
    """Bill usage of the open period as soon as `amount` of it is unbilled, in the plan's currency; None: at its end.

    It counts from the next run on, for what is used already as well. What was billed ahead stays billed. Raises
    `Invalid` invalid_threshold; `Refused` no_change, subscription_ended.
    """
    subscription = rewrite.locked(subscription)
    refuse_ended(subscription)
    check_threshold(amount, subscription.plan_version.currency, param="/amount")
    before = subscription.billing_threshold
    if amount == before:
        raise Refused("no_change", "That is what counts already.", param="/amount")
    subscription.billing_threshold = amount
    subscription.save(update_fields=["billing_threshold"])
    currency = subscription.plan_version.currency
    record(
        action="subscription.threshold_set",
        target=subscription,
        reason=reason,
        changes={
            "billing_threshold": [
                None if one is None else money_text(one, currency) for one in (before, amount)
            ],
            "currency": currency,
        },
    )
    return subscription
