"""/customers"""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.access.models import Scope
from apps.core.api.idempotency import idempotent
from apps.customers.api.serializers import CustomerInput, CustomerOutput, CustomerPatch
from apps.customers.models import Customer
from apps.customers.selectors import customer_by_reference
from apps.customers.services import customers


class CustomerList(ListAPIView[Customer]):
    """Customers, the newest first."""

    read_scope = Scope.CUSTOMERS_READ
    write_scope = Scope.CUSTOMERS_WRITE
    serializer_class = CustomerOutput
    filterset_fields = ["external_id", "email"]

    def get_queryset(self) -> QuerySet[Customer]:
        return Customer.objects.select_related("parent")

    @extend_schema(request=CustomerInput, responses={201: CustomerOutput})
    @idempotent
    def post(self, request: Request) -> Response:
        """Create a customer."""
        given = CustomerInput(data=request.data)
        given.is_valid(raise_exception=True)
        customer = customers.create_customer(**with_parent(given.validated_data))
        return Response(CustomerOutput(customer).data, status=201)


class CustomerDetail(APIView):
    read_scope = Scope.CUSTOMERS_READ
    write_scope = Scope.CUSTOMERS_WRITE

    @extend_schema(responses=CustomerOutput)
    def get(self, request: Request, customer: str) -> Response:
        """Read a customer by its id or external id."""
        return Response(CustomerOutput(customer_by_reference(customer)).data)

    @extend_schema(request=CustomerPatch, responses=CustomerOutput)
    def patch(self, request: Request, customer: str) -> Response:
        """Change what is given and leave the rest."""
        given = CustomerPatch(data=request.data)
        given.is_valid(raise_exception=True)
        fields = with_parent(given.validated_data)
        found = customers.update_customer(customer=customer_by_reference(customer), **fields)
        return Response(CustomerOutput(found).data)


def with_parent(fields: dict[str, Any]) -> dict[str, Any]:
    """The parent itself for its reference. Raises `Missing` customer_not_found."""
    if fields.get("parent") is None:
        return fields
    return {**fields, "parent": customer_by_reference(fields["parent"])}
