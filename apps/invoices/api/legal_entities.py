"""/legal_entities and a customer's invoice terms: who issues, on which conditions"""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.access.models import Scope
from apps.core.api.fields import StrictSerializer
from apps.core.api.idempotency import idempotent
from apps.core.validators import validate_time_zone
from apps.customers.selectors import customer_by_reference
from apps.invoices.models import CustomerTerms, LegalEntity
from apps.invoices.models.entity import MAX_DUE_DAYS, MAX_MEMO, MAX_PO_NUMBER
from apps.invoices.parties import entity_by_id, terms_of
from apps.invoices.services import entities


class LegalEntityOutput(serializers.ModelSerializer[LegalEntity]):
    id = serializers.CharField(source="public_id")

    class Meta:
        model = LegalEntity
        fields = [
            "id", "name", "address", "country", "tax_ids", "time_zone", "number_prefix", "payment_due_days", "memo",
            "is_default", "created_at",
        ]  # fmt: skip


class LegalEntityPatch(StrictSerializer):
    name = serializers.CharField(max_length=200, required=False)
    address = serializers.CharField(
        required=False, allow_blank=True, max_length=2000, help_text="As on the invoice, one line a row."
    )
    country = serializers.RegexField(
        r"\A([A-Z]{2})?\Z", required=False, allow_blank=True, help_text="ISO 3166."
    )
    tax_ids = serializers.CharField(
        required=False, allow_blank=True, max_length=2000, help_text="As on the invoice, one a row."
    )
    time_zone = serializers.CharField(
        required=False,
        max_length=64,
        validators=[validate_time_zone],
        help_text="An IANA name, like Europe/Berlin: the year of an invoice number begins at midnight there.",
    )
    number_prefix = serializers.RegexField(
        r"\A[A-Z0-9]{1,12}\Z",
        required=False,
        help_text="Numbers read PREFIX-year-000001. It can't be changed once a number was taken.",
    )
    payment_due_days = serializers.IntegerField(
        required=False, min_value=0, max_value=MAX_DUE_DAYS, help_text="Unless the customer has other terms."
    )
    memo = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=MAX_MEMO,
        help_text="On invoices that have no memo of their own.",
    )


class LegalEntityInput(LegalEntityPatch):
    name = serializers.CharField(max_length=200)
    number_prefix = serializers.RegexField(
        r"\A[A-Z0-9]{1,12}\Z", help_text="Numbers read PREFIX-year-000001. Each entity has one of its own."
    )


class LegalEntityList(ListAPIView[LegalEntity]):
    """Legal entities, the newest first. The default one issues unless a customer's terms name another."""

    read_scope = Scope.INVOICES_READ
    write_scope = Scope.INVOICES_WRITE
    serializer_class = LegalEntityOutput
    filterset_fields = ["is_default", "number_prefix"]

    def get_queryset(self) -> QuerySet[LegalEntity]:
        return LegalEntity.objects.all()

    @extend_schema(request=LegalEntityInput, responses={201: LegalEntityOutput})
    @idempotent
    def post(self, request: Request) -> Response:
        """Create a legal entity with a number series of its own. It is not the default."""
        given = LegalEntityInput(data=request.data)
        given.is_valid(raise_exception=True)
        return Response(LegalEntityOutput(entities.create_entity(**given.validated_data)).data, status=201)


class LegalEntityDetail(APIView):
    read_scope = Scope.INVOICES_READ
    write_scope = Scope.INVOICES_WRITE

    @extend_schema(responses=LegalEntityOutput)
    def get(self, request: Request, entity_id: str) -> Response:
        """Read a legal entity."""
        return Response(LegalEntityOutput(entity_by_id(entity_id)).data)

    @extend_schema(request=LegalEntityPatch, responses=LegalEntityOutput)
    def patch(self, request: Request, entity_id: str) -> Response:
        """Change what is given and leave the rest. Drafts follow; issued invoices keep what they say.

        The prefix can't be changed once a number was taken: 409 prefix_fixed.
        """
        given = LegalEntityPatch(data=request.data)
        given.is_valid(raise_exception=True)
        changed = entities.change_entity(entity=entity_by_id(entity_id), **given.validated_data)
        return Response(LegalEntityOutput(changed).data)


class LegalEntityMakeDefault(APIView):
    required_scope = Scope.INVOICES_WRITE

    @extend_schema(request=None, responses=LegalEntityOutput)
    @idempotent
    def post(self, request: Request, entity_id: str) -> Response:
        """Let it issue, from now on, the invoices of customers whose terms name no other entity; drafts too."""
        return Response(LegalEntityOutput(entities.make_default(entity=entity_by_id(entity_id))).data)


class InvoiceTermsOutput(serializers.ModelSerializer[CustomerTerms]):
    """Null and empty: as the legal entity says."""

    customer = serializers.CharField(source="customer.public_id")
    legal_entity = serializers.CharField(
        source="legal_entity.public_id", allow_null=True, default=None, help_text="Null: the default one."
    )

    class Meta:
        model = CustomerTerms
        fields = ["customer", "legal_entity", "payment_due_days", "purchase_order_number", "memo"]


class InvoiceTermsPatch(StrictSerializer):
    legal_entity = serializers.CharField(
        required=False, allow_null=True, help_text="The entity's id. Null: the default one issues."
    )
    payment_due_days = serializers.IntegerField(
        required=False, allow_null=True, min_value=0, max_value=MAX_DUE_DAYS, help_text="Null: the entity's."
    )
    purchase_order_number = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=MAX_PO_NUMBER,
        help_text="On invoices that have none of their own.",
    )
    memo = serializers.CharField(
        required=False, allow_blank=True, max_length=MAX_MEMO, help_text="Empty: the entity's."
    )


class InvoiceTerms(APIView):
    read_scope = Scope.INVOICES_READ
    write_scope = Scope.INVOICES_WRITE

    @extend_schema(responses=InvoiceTermsOutput)
    def get(self, request: Request, customer: str) -> Response:
        """How a customer is invoiced where that is not as everybody else."""
        return Response(InvoiceTermsOutput(terms_of(customer_by_reference(customer))).data)

    @extend_schema(request=InvoiceTermsPatch, responses=InvoiceTermsOutput)
    def patch(self, request: Request, customer: str) -> Response:
        """Change what is given and leave the rest. It holds for what is finalized from now on, drafts too."""
        found = customer_by_reference(customer)
        given = InvoiceTermsPatch(data=request.data)
        given.is_valid(raise_exception=True)
        fields: dict[str, Any] = dict(given.validated_data)
        if fields.get("legal_entity") is not None:
            fields["legal_entity"] = entity_by_id(fields["legal_entity"], param="/legal_entity")
        return Response(InvoiceTermsOutput(entities.change_terms(customer=found, **fields)).data)
