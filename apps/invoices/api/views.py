"""/invoices and a customer's upcoming invoice"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import Prefetch, QuerySet, prefetch_related_objects
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.access.models import Scope
from apps.core import clock
from apps.core.api.idempotency import idempotent
from apps.core.api.pagination import CursorPagination
from apps.core.money import money_text
from apps.core.snapshots import one_snapshot
from apps.customers.models import Customer
from apps.customers.selectors import customer_by_reference
from apps.invoices.api.filters import InvoiceFilter, LineFilter
from apps.invoices.api.serializers import (
    InvoiceOutput,
    InvoicePatch,
    InvoiceWithLines,
    LineOutput,
    UpcomingOutput,
)
from apps.invoices.models import Invoice, InvoiceLine
from apps.invoices.selectors import invoice_by_reference
from apps.invoices.services import change_draft
from apps.invoices.services import finalize_invoice as finalizing
from apps.invoices.services.compute import ComputedInvoice
from apps.invoices.services.draft_lines import step_document, unpriced_documents
from apps.invoices.services.lines import ComputedLine
from apps.invoices.services.upcoming import upcoming_invoices
from apps.invoices.teams import Sharers, sharers_of
from apps.subscriptions.models import Subscription


class LinePagination(CursorPagination):
    ordering = "position"


class InvoiceList(ListAPIView[Invoice]):
    """Invoices, the newest first. With `parked=true` the drafts that wait for a release, with the reasons."""

    required_scope = Scope.INVOICES_READ
    serializer_class = InvoiceOutput
    filterset_class = InvoiceFilter

    def get_queryset(self) -> QuerySet[Invoice]:
        return Invoice.objects.select_related(
            "customer", "subscription", "legal_entity", "reissue_of", "reissued_as"
        ).prefetch_related("park_reasons")


def explained_lines() -> QuerySet[InvoiceLine]:
    """With all that their serializer shows."""
    lines = InvoiceLine.objects.select_related(
        "price__plan_version__plan", "price__meter", "one_off", "invoice"
    )
    return lines.prefetch_related("team_shares__customer")


def with_lines(invoice: Invoice) -> dict[str, Any]:
    prefetch_related_objects([invoice], Prefetch("lines", queryset=explained_lines()))
    return InvoiceWithLines(invoice).data


class InvoiceDetail(APIView):
    read_scope = Scope.INVOICES_READ
    write_scope = Scope.INVOICES_WRITE

    @extend_schema(responses=InvoiceWithLines)
    def get(self, request: Request, reference: str) -> Response:
        """Read an invoice by its id or number, with its lines and how each came about."""
        return Response(with_lines(invoice_by_reference(reference)))

    @extend_schema(request=InvoicePatch, responses=InvoiceWithLines)
    def patch(self, request: Request, reference: str) -> Response:
        """Write memo and purchase-order number on a draft, and leave what is not given. Refused once it is issued."""
        given = InvoicePatch(data=request.data)
        given.is_valid(raise_exception=True)
        draft = change_draft.describe_draft(invoice=invoice_by_reference(reference), **given.validated_data)
        return Response(with_lines(draft))


class InvoiceLineList(ListAPIView[InvoiceLine]):
    """The lines of an invoice in their order, each with the steps that led to its amount."""

    required_scope = Scope.INVOICES_READ
    queryset = InvoiceLine.objects.none()  # for the description of the API, which knows no invoice
    serializer_class = LineOutput
    pagination_class = LinePagination
    filterset_class = LineFilter

    def get_queryset(self) -> QuerySet[InvoiceLine]:
        return explained_lines().filter(invoice=invoice_by_reference(self.kwargs["reference"]))


class InvoiceFinalize(APIView):
    required_scope = Scope.INVOICES_WRITE

    @extend_schema(request=None, responses=InvoiceWithLines)
    @idempotent
    def post(self, request: Request, reference: str) -> Response:
        """Finalize a draft now instead of at the end of its grace period: its number is taken, its lines are frozen."""
        invoice = finalizing.finalize_invoice(invoice=invoice_by_reference(reference), now=clock.now())
        return Response(with_lines(invoice))


class UpcomingInvoice(APIView):
    required_scope = Scope.USAGE_READ

    @extend_schema(responses=UpcomingOutput)
    def get(self, request: Request, customer: str) -> Response:
        """What the customer's next invoice would say if it were made now: the cost to date, by the code that bills."""
        return Response(UpcomingOutput(upcoming(customer_by_reference(customer), clock.now())).data)


def upcoming(customer: Customer, now: datetime) -> dict[str, Any]:
    with one_snapshot():
        computed = upcoming_invoices(customer=customer, as_of=now)
    # A customer's subscriptions are all in one currency, which the first of them fixed.
    currency = computed[0].currency if computed else customer.currency
    return {
        "customer": customer.public_id,
        "currency": currency,
        "as_of": now,
        "total": money_text(sum(one.total for one in computed), currency),
        "lines": upcoming_lines(computed),
        "unpriced": [row for one in computed for row in unpriced_documents(one)],
    }


def upcoming_lines(computed: Sequence[ComputedInvoice]) -> list[dict[str, Any]]:
    sharers = sharers_of(line for one in computed for line in one.lines)
    return [
        line_document(line, one.subscription, one.currency, sharers) for one in computed for line in one.lines
    ]


def line_document(
    line: ComputedLine, subscription: Subscription, currency: str, sharers: Sharers
) -> dict[str, Any]:
    price, meter = line.price, line.meter
    return {
        "subscription": subscription.public_id,
        "kind": line.kind,
        "description": line.description,
        "plan": price.plan_version.plan.code if price else None,
        "plan_version": price.plan_version.number if price else None,
        "price": price.code if price else None,
        "charge": line.one_off.public_id if line.one_off else None,
        "meter": meter.code if meter else None,
        "period_start": line.period.start,
        "period_end": line.period.end,
        "quantity": line.quantity,
        "unit": meter.unit if meter else "",
        "event_count": line.event_count,
        "unrounded_amount": line.unrounded_amount,
        "amount": money_text(line.amount, currency),
        "steps": [step_document(step) for step in line.steps],
        "teams": [
            {
                "customer": sharers[one.customer_id].public_id,
                "external_id": sharers[one.customer_id].external_id,
                "quantity": one.quantity,
                "event_count": one.event_count,
                "amount": money_text(one.amount, currency),
            }
            for one in line.shares
        ],
    }
