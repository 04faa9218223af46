"""Subscriptions in and out."""

from rest_framework import serializers

from apps.core.api.fields import InstantField, StrictSerializer
from apps.subscriptions.models import Subscription


class SubscriptionOutput(serializers.ModelSerializer[Subscription]):
    id = serializers.CharField(source="public_id")
    customer = serializers.CharField(source="customer.public_id")
    customer_external_id = serializers.CharField(source="customer.external_id")
    plan = serializers.CharField(source="plan_version.plan.code")
    plan_version = serializers.IntegerField(source="plan_version.number")

    class Meta:
        model = Subscription
        fields = [
            "id",
            "customer",
            "customer_external_id",
            "plan",
            "plan_version",
            "status",
            "billing_anchor",
            "time_zone",
            "started_at",
            "invoiced_until",
            "next_boundary_at",
            "created_at",
        ]


class SubscriptionInput(StrictSerializer):
    customer = serializers.CharField(help_text="The customer's id or external id.")
    plan = serializers.CharField(help_text="The plan's code.")
    version = serializers.IntegerField(
        required=False, min_value=1, help_text="Default: what the price books offer."
    )
    storefront = serializers.ChoiceField(["web", "api", "in_app", "partner"], required=False)
    region = serializers.CharField(
        required=False, max_length=10, help_text="Default: the customer's country."
    )
    started_at = InstantField(required=False, help_text="Default: now. At most five years ago.")
    billing_anchor = serializers.ChoiceField(
        Subscription.Anchor.choices, default=Subscription.Anchor.CALENDAR
    )
