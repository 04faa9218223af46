"""What can be done to a subscription: what a request says, and which service it calls.

A preview is asked with the same bodies, so that what was previewed can be sent again to be done.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.shortcuts import get_object_or_404
from rest_framework import serializers

from apps.catalog.models import PlanVersion
from apps.catalog.selectors import published_version
from apps.core.api.fields import InstantField, PlainDecimalField, StrictSerializer
from apps.core.errors import Invalid
from apps.subscriptions.api.serializers import MAX_REASON, STOREFRONTS
from apps.subscriptions.models import Subscription
from apps.subscriptions.outline import with_phases
from apps.subscriptions.selectors import version_for
from apps.subscriptions.services import (
    cancel,
    change_subscription,
    change_time_zone,
    pause,
    set_billing_threshold,
)
from apps.subscriptions.services.subscribe import MAX_QUANTITY
from apps.subscriptions.services.when import When

Fields = dict[str, Any]


class SubscriptionReasonInput(StrictSerializer):
    reason = serializers.CharField(max_length=MAX_REASON, help_text="Kept in the audit log.")


class SubscriptionResumeInput(SubscriptionReasonInput):
    when = serializers.ChoiceField(
        When.choices, help_text="It has no default: `period_end` is when what is paid ends."
    )
    at = InstantField(required=False, help_text="With `date`, and only with it. Not before what is billed.")


class SubscriptionChangeInput(SubscriptionResumeInput):
    plan = serializers.CharField(required=False, help_text="The plan's code; without it only seats change.")
    version = serializers.IntegerField(
        required=False,
        min_value=1,
        help_text="Default: what the price books offer. Without a plan: of the present plan.",
    )
    storefront = serializers.ChoiceField(STOREFRONTS, required=False)
    region = serializers.CharField(
        required=False, max_length=10, help_text="Default: the customer's country."
    )
    quantity = serializers.IntegerField(
        required=False, min_value=1, max_value=MAX_QUANTITY, help_text="Seats; default: as they are."
    )


class SubscriptionPauseInput(SubscriptionResumeInput):
    resume_at = InstantField(required=False, help_text="Default: until it is resumed.")


class SubscriptionCancelInput(SubscriptionResumeInput):
    unused = serializers.ChoiceField(
        Subscription.Unused.choices, help_text="What becomes of fees that were billed for time after the end."
    )


class SubscriptionTimeZoneInput(SubscriptionReasonInput):
    time_zone = serializers.CharField(max_length=64, help_text="An IANA name, like Europe/Berlin.")


class SubscriptionThresholdInput(SubscriptionReasonInput):
    amount = PlainDecimalField(
        allow_null=True,
        help_text="In the plan's currency; null: usage is billed at the end of its period. It has no default.",
    )


@dataclass(frozen=True, slots=True)
class Verb:
    """`service(subscription=…, now=…, **arguments)` does it; the body becomes the arguments by `arguments`.

    `name` is the end of its path; `does` and `shows` describe it and its preview to integrators.
    """

    name: str
    body: type[StrictSerializer]
    service: Callable[..., Subscription]
    does: str
    shows: str
    arguments: Callable[[Subscription, Fields], Fields] = lambda subscription, fields: fields

    def given(self, subscription: Subscription, data: Any, place: Mapping[str, str] | None = None) -> Fields:
        """`place` is what the address says beside the subscription.

        Raises what a serializer raises, and `Missing` for a plan that is not on offer.
        """
        found = self.body(data=data)
        found.is_valid(raise_exception=True)
        return self.arguments(subscription, {**found.validated_data, **(place or {})})


def change_arguments(subscription: Subscription, fields: Fields) -> Fields:
    chosen: Fields = {
        name: fields.pop(name) for name in ("plan", "version", "storefront", "region") if name in fields
    }
    version = chosen_version(subscription, chosen)
    return fields if version is None else {**fields, "plan_version": version}


def chosen_version(subscription: Subscription, chosen: Fields) -> PlanVersion | None:
    """The version that a request means; None when it names neither plan nor version."""
    if "version" in chosen:
        code = chosen.get("plan", subscription.plan_version.plan.code)
        return published_version(plan_code=code, number=chosen["version"])
    if "plan" not in chosen:
        if chosen:
            name = next(iter(chosen))
            raise Invalid(
                "field_not_allowed", f"Give {name} with a plan, to choose its version.", param=f"/{name}"
            )
        return None
    return version_for(
        customer=subscription.customer,
        plan_code=chosen["plan"],
        storefront=chosen.get("storefront", ""),
        region=chosen.get("region", ""),
    )


CHANGE = Verb(
    "change",
    SubscriptionChangeInput,
    change_subscription.change_subscription,
    "Change plan, plan version, seats, or several of them: now, when what is paid ends, or on a date.",
    "What the change would do to the next invoices. It is made, looked at and undone: the code that does it.",
    change_arguments,
)
DROP = Verb(
    "drop_scheduled_change",
    SubscriptionReasonInput,
    change_subscription.drop_scheduled_change,
    "Drop the changes of plan and seats that are still to come. Ends of trials and pauses stay.",
    "What dropping the scheduled changes would do to the next invoices.",
)
PAUSE = Verb(
    "pause",
    SubscriptionPauseInput,
    pause.pause,
    "Ask for no fees and price no usage, until a date or until it is resumed. Usage is counted all the same.",
    "What the pause would do to the next invoices.",
)
RESUME = Verb(
    "resume",
    SubscriptionResumeInput,
    pause.resume,
    "Bill again after a pause.",
    "What resuming would do to the next invoices.",
)
CANCEL = Verb(
    "cancel",
    SubscriptionCancelInput,
    cancel.cancel,
    "End it: what came until then is billed, and nothing after it. Cancelling again replaces what was said.",
    "What the cancellation would do to the next invoices, with what comes back of fees that are billed.",
)
REACTIVATE = Verb(
    "reactivate",
    SubscriptionReasonInput,
    cancel.reactivate,
    "Take a cancellation back before it takes effect.",
    "What taking the cancellation back would do to the next invoices.",
)
CHANGE_TIME_ZONE = Verb(
    "change_time_zone",
    SubscriptionTimeZoneInput,
    change_time_zone.change_time_zone,
    "Follow another time zone from the open period on, which ends at the nearest boundary of the new zone.",
    "What another time zone would do to the next invoices.",
)
SET_THRESHOLD = Verb(
    "set_billing_threshold",
    SubscriptionThresholdInput,
    set_billing_threshold.set_billing_threshold,
    "Bill usage of the open period as soon as an amount of it is unbilled. It counts from the next minute on.",
    "What the threshold would do to the next invoices.",
)
ALL = (CHANGE, DROP, PAUSE, RESUME, CANCEL, REACTIVATE, CHANGE_TIME_ZONE, SET_THRESHOLD)


def subscription_by_id(public_id: str) -> Subscription:
    """With its phases. Raises `Http404`."""
    found: Subscription = get_object_or_404(with_phases(Subscription.objects.all()), public_id=public_id)
    return found
