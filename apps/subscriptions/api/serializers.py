"""Subscriptions in and out."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.catalog.models import PlanVersion
from apps.catalog.models.plan import MAX_TRIAL_DAYS
from apps.core import clock
from apps.core.api.fields import InstantField, PlainDecimalField, StrictSerializer
from apps.core.money import money_text
from apps.subscriptions.models import Subscription, SubscriptionAddOn, SubscriptionPhase
from apps.subscriptions.outline import phase_at, state_at
from apps.subscriptions.services.subscribe import MAX_QUANTITY, TrialEnd

MAX_REASON = 2_000
STOREFRONTS = ["web", "api", "in_app", "partner"]
THRESHOLD_HELP = (
    "In the plan's currency: usage of the open period is billed as soon as so much of it is unbilled."
    " Default: at the end of the period."
)
TREATMENTS = "`billed`, `trial_fees` (fees are free), `trial_all` (everything is free) or `paused`."


class PhaseOutput(serializers.Serializer[SubscriptionPhase]):
    """From when to when it is on which terms. The phases of a subscription tile its life."""

    plan = serializers.CharField(source="plan_version.plan.code")
    plan_version = serializers.IntegerField(source="plan_version.number")
    quantity = serializers.IntegerField(help_text="Seats.")
    treatment = serializers.CharField(help_text=TREATMENTS)
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(allow_null=True, help_text="Exclusive; null: open.")
    state = serializers.SerializerMethodField(help_text="`past`, `current` or `scheduled`.")

    def get_state(self, phase: SubscriptionPhase) -> str:
        return state_at(clock.now(), phase)


class AddOnOutput(serializers.Serializer[SubscriptionAddOn]):
    """From when to when an add-on is attached, and how many times. A change of the quantity is a row of its own."""

    add_on = serializers.CharField(source="plan_version.plan.code")
    version = serializers.IntegerField(source="plan_version.number")
    quantity = serializers.IntegerField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(allow_null=True, help_text="Exclusive; null: open.")
    state = serializers.SerializerMethodField(help_text="`past`, `current` or `scheduled`.")

    def get_state(self, add_on: SubscriptionAddOn) -> str:
        return state_at(clock.now(), add_on)


class OpenPeriodOutput(serializers.Serializer[Any]):
    """The oldest period that is not billed yet."""

    start = serializers.DateTimeField()
    end = serializers.DateTimeField(help_text="Exclusive.")


class SubscriptionOutput(serializers.ModelSerializer[Subscription]):
    """Give it subscriptions `with_phases`."""

    id = serializers.CharField(source="public_id")
    customer = serializers.CharField(source="customer.public_id")
    customer_external_id = serializers.CharField(source="customer.external_id")
    plan = serializers.CharField(source="plan_version.plan.code")
    plan_version = serializers.IntegerField(source="plan_version.number")
    quantity = serializers.SerializerMethodField(help_text="Seats that count now.")
    treatment = serializers.SerializerMethodField(help_text=f"What counts now: {TREATMENTS}")
    ends_at = serializers.DateTimeField(
        allow_null=True, help_text="Set by a cancellation, which can be taken back until then."
    )
    unused = serializers.CharField(
        help_text="What becomes of fees for time after the end: `credit`, `refund` or `nothing`; empty without an end."
    )
    billing_threshold = serializers.SerializerMethodField(
        help_text="Usage is billed as soon as so much of the open period is unbilled; null: at its end."
    )
    open_period = serializers.SerializerMethodField()
    phases = PhaseOutput(many=True)
    add_ons = AddOnOutput(many=True, help_text="Those of the past and to come too.")

    class Meta:
        model = Subscription
        fields = [
            "id",
            "customer",
            "customer_external_id",
            "plan",
            "plan_version",
            "quantity",
            "treatment",
            "status",
            "billing_anchor",
            "billing_day",
            "time_zone",
            "started_at",
            "ends_at",
            "canceled_at",
            "unused",
            "cancellation_reason",
            "invoiced_until",
            "next_boundary_at",
            "billing_threshold",
            "open_period",
            "phases",
            "add_ons",
            "created_at",
        ]

    def get_quantity(self, subscription: Subscription) -> int:
        return phase_at(subscription, clock.now()).quantity

    def get_treatment(self, subscription: Subscription) -> str:
        return phase_at(subscription, clock.now()).treatment

    def get_billing_threshold(self, subscription: Subscription) -> str | None:
        threshold = subscription.billing_threshold
        return None if threshold is None else money_text(threshold, subscription.plan_version.currency)

    @extend_schema_field(OpenPeriodOutput(allow_null=True))
    def get_open_period(self, subscription: Subscription) -> dict[str, Any] | None:
        if subscription.status != Subscription.Status.ACTIVE:
            return None
        period = subscription.open_period
        return dict(OpenPeriodOutput({"start": period.start, "end": period.end}).data)


class SubscriptionInput(StrictSerializer):
    customer = serializers.CharField(help_text="The customer's id or external id.")
    plan = serializers.CharField(help_text="The plan's code.")
    version = serializers.IntegerField(
        required=False, min_value=1, help_text="Default: what the price books offer."
    )
    storefront = serializers.ChoiceField(STOREFRONTS, required=False)
    region = serializers.CharField(
        required=False, max_length=10, help_text="Default: the customer's country."
    )
    started_at = InstantField(required=False, help_text="Default: now. At most five years ago.")
    billing_anchor = serializers.ChoiceField(
        Subscription.Anchor.choices, default=Subscription.Anchor.CALENDAR
    )
    billing_day = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=31,
        help_text="With the anchor day_of_month, and only with it. In a shorter month its last day.",
    )
    quantity = serializers.IntegerField(
        default=1,
        min_value=1,
        max_value=MAX_QUANTITY,
        help_text="Seats: what fees per seat are multiplied by.",
    )
    trial_days = serializers.IntegerField(
        required=False, min_value=0, max_value=MAX_TRIAL_DAYS, help_text="Default: the plan's; 0: no trial."
    )
    trial_covers = serializers.ChoiceField(
        PlanVersion.TrialCovers.choices, required=False, help_text="Default: the plan's."
    )
    trial_end = serializers.ChoiceField(
        TrialEnd.choices, default=TrialEnd.CONTINUE, help_text="What follows the trial."
    )
    billing_threshold = PlainDecimalField(required=False, help_text=THRESHOLD_HELP)
    reason = serializers.CharField(max_length=MAX_REASON, required=False, help_text="Kept in the audit log.")
