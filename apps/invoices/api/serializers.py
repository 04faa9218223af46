"""Invoices out."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.core.api.fields import PlainDecimalField, StepOutput, StrictSerializer
from apps.core.money import money_text
from apps.invoices.models import Invoice, InvoiceLine, ParkReason, TeamShare
from apps.invoices.models.entity import MAX_MEMO, MAX_PO_NUMBER
from apps.invoices.teams import team_totals

NOT_OF_A_PLAN = "Plan or add-on; null for a one-off charge."


class TeamShareOutput(serializers.ModelSerializer[TeamShare]):
    """A customer's part of a line. Amounts add up to the line's; quantities do for sums, counts and levels."""

    customer = serializers.CharField(source="customer.public_id")
    external_id = serializers.CharField(source="customer.external_id")
    quantity = PlainDecimalField()
    amount = serializers.CharField(source="amount_text")

    class Meta:
        model = TeamShare
        fields = ["customer", "external_id", "quantity", "event_count", "amount"]


class TeamTotalOutput(serializers.Serializer[Any]):
    """A customer's part of the invoice. Fees are the organization's own."""

    customer = serializers.CharField()
    external_id = serializers.CharField()
    amount = serializers.CharField()


class LineOutput(serializers.ModelSerializer[InvoiceLine]):
    price = serializers.CharField(source="price.code", allow_null=True, default=None)
    plan = serializers.CharField(
        source="price.plan_version.plan.code", allow_null=True, default=None, help_text=NOT_OF_A_PLAN
    )
    plan_version = serializers.IntegerField(source="price.plan_version.number", allow_null=True, default=None)
    charge = serializers.CharField(
        source="one_off.public_id",
        allow_null=True,
        default=None,
        help_text="The one-off charge that it stands for.",
    )
    meter = serializers.CharField(source="price.meter.code", allow_null=True, default=None)
    quantity = PlainDecimalField(allow_null=True)
    unit_amount = PlainDecimalField(allow_null=True)
    unrounded_amount = PlainDecimalField(max_digits=60, decimal_places=24)
    amount = serializers.CharField(source="amount_text")
    steps = StepOutput(many=True)
    teams = TeamShareOutput(
        source="team_shares",
        many=True,
        help_text="Who used what of it, where teams are billed to the customer; the customer is one of them.",
    )

    class Meta:
        model = InvoiceLine
        fields = [
            "position",
            "kind",
            "description",
            "plan",
            "plan_version",
            "price",
            "charge",
            "meter",
            "period_start",
            "period_end",
            "quantity",
            "unit",
            "unit_amount",
            "event_count",
            "unrounded_amount",
            "amount",
            "steps",
            "teams",
        ]


class ParkReasonOutput(serializers.ModelSerializer[ParkReason]):
    """Why a draft is held before issue."""

    class Meta:
        model = ParkReason
        fields = ["brake", "words", "found_at", "released_at", "release_reason"]


class InvoiceOutput(serializers.ModelSerializer[Invoice]):
    id = serializers.CharField(source="public_id")
    kind = serializers.ChoiceField(
        Invoice.Kind.choices,
        help_text="`cycle`: a period that is over; `opening`: what is due at the start; `threshold`: usage of a"
        " period that is not over, from its start until `period_end`.",
    )
    customer = serializers.CharField(source="customer.public_id")
    subscription = serializers.CharField(source="subscription.public_id")
    subtotal = serializers.CharField(source="subtotal_text")
    total = serializers.CharField(source="total_text")
    legal_entity = serializers.CharField(source="legal_entity.public_id", allow_null=True, default=None)
    reissue_of = serializers.CharField(
        source="reissue_of.public_id",
        allow_null=True,
        default=None,
        help_text="The void invoice it replaces.",
    )
    reissued_as = serializers.CharField(
        source="reissued_as.public_id", allow_null=True, default=None, help_text="What replaced it."
    )

    park_reasons = ParkReasonOutput(many=True, help_text="Brakes that it tripped, released ones too.")

    class Meta:
        model = Invoice
        fields = [
            "id",
            "number",
            "kind",
            "status",
            "status_reason",
            "status_changed_at",
            "payment_status",
            "payment_reference",
            "parked_at",
            "park_reasons",
            "legal_entity",
            "reissue_of",
            "reissued_as",
            "memo",
            "purchase_order_number",
            "customer",
            "subscription",
            "currency",
            "period_start",
            "period_end",
            "subtotal",
            "total",
            "created_at",
            "finalize_due_at",
            "finalized_at",
            "due_on",
        ]


class UnpricedOutput(serializers.Serializer[Any]):
    """Usage that no price of the plan takes: counted, kept, and not billed."""

    meter = serializers.CharField()
    dimensions = serializers.DictField(child=serializers.CharField())
    period_start = serializers.DateTimeField()
    period_end = serializers.DateTimeField()
    quantity = serializers.CharField()
    event_count = serializers.IntegerField()


class InvoiceWithLines(InvoiceOutput):
    lines = LineOutput(many=True)
    unpriced = UnpricedOutput(many=True)
    teams = serializers.SerializerMethodField(
        help_text="What each has of the total, where teams are billed to the customer."
    )

    class Meta(InvoiceOutput.Meta):
        fields = [*InvoiceOutput.Meta.fields, "lines", "teams", "unpriced"]

    @extend_schema_field(TeamTotalOutput(many=True))
    def get_teams(self, invoice: Invoice) -> list[dict[str, Any]]:
        return [
            {
                "customer": one.customer.public_id,
                "external_id": one.customer.external_id,
                "amount": money_text(one.amount, invoice.currency),
            }
            for one in team_totals(invoice, invoice.lines.all())
        ]


class InvoicePatch(StrictSerializer):
    memo = serializers.CharField(
        required=False, allow_blank=True, max_length=MAX_MEMO, help_text="Empty: as the terms say."
    )
    purchase_order_number = serializers.CharField(
        required=False, allow_blank=True, max_length=MAX_PO_NUMBER, help_text="Empty: as the terms say."
    )


class UpcomingShare(serializers.Serializer[Any]):
    customer = serializers.CharField()
    external_id = serializers.CharField()
    quantity = PlainDecimalField()
    event_count = serializers.IntegerField()
    amount = serializers.CharField()


class UpcomingLine(serializers.Serializer[Any]):
    subscription = serializers.CharField()
    kind = serializers.CharField()
    description = serializers.CharField()
    plan = serializers.CharField(allow_null=True, help_text=NOT_OF_A_PLAN)
    plan_version = serializers.IntegerField(allow_null=True)
    price = serializers.CharField(allow_null=True)
    charge = serializers.CharField(allow_null=True, help_text="The one-off charge that it stands for.")
    meter = serializers.CharField(allow_null=True)
    period_start = serializers.DateTimeField()
    period_end = serializers.DateTimeField()
    quantity = PlainDecimalField(allow_null=True)
    unit = serializers.CharField(allow_blank=True)
    event_count = serializers.IntegerField(allow_null=True)
    unrounded_amount = PlainDecimalField(max_digits=60, decimal_places=24)
    amount = serializers.CharField()
    steps = StepOutput(many=True)
    teams = UpcomingShare(many=True)


class UpcomingOutput(serializers.Serializer[Any]):
    customer = serializers.CharField()
    currency = serializers.CharField()
    as_of = serializers.DateTimeField()
    total = serializers.CharField(help_text="Cost to date.")
    lines = UpcomingLine(many=True)
    unpriced = UnpricedOutput(many=True)
