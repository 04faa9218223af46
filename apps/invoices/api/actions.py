"""What is done to one invoice: /invoices/{reference}/…"""

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.access.models import Scope
from apps.core import clock
from apps.core.api.fields import StrictSerializer
from apps.core.api.idempotency import idempotent
from apps.invoices.api.serializers import InvoiceWithLines
from apps.invoices.api.views import with_lines
from apps.invoices.selectors import invoice_by_reference
from apps.invoices.services import change_draft, settle_invoice
from apps.invoices.services import void_invoice as voiding
from apps.invoices.services.draft import MAX_REASON


class InvoiceReasonInput(StrictSerializer):
    reason = serializers.CharField(max_length=MAX_REASON)


class InvoicePaidInput(InvoiceReasonInput):
    reference = serializers.CharField(
        max_length=settle_invoice.MAX_REFERENCE, help_text="Which payment it was, e.g. of the bank statement."
    )


class InvoiceReleaseInput(InvoiceReasonInput):
    total = serializers.DecimalField(
        max_digits=28, decimal_places=4, help_text="The total that was looked at: another one is refused."
    )


def given(request: Request, serializer: type[StrictSerializer]) -> dict[str, Any]:
    found = serializer(data=request.data)
    found.is_valid(raise_exception=True)
    return dict(found.validated_data)


class InvoiceRefresh(APIView):
    required_scope = Scope.INVOICES_WRITE

    @extend_schema(request=None, responses=InvoiceWithLines)
    @idempotent
    def post(self, request: Request, reference: str) -> Response:
        """Compute a draft again as of now, and see whether a brake holds it."""
        invoice = invoice_by_reference(reference)
        return Response(with_lines(change_draft.refresh_draft(invoice=invoice, now=clock.now())))


class InvoiceRelease(APIView):
    required_scope = Scope.INVOICES_WRITE

    @extend_schema(request=InvoiceReleaseInput, responses=InvoiceWithLines)
    @idempotent
    def post(self, request: Request, reference: str) -> Response:
        """Let a parked draft pass. It holds for the reasons it shows; new or worse ones park it again."""
        body = given(request, InvoiceReleaseInput)
        released = change_draft.release_invoice(
            invoice=invoice_by_reference(reference),
            reason=body["reason"],
            total=Decimal(body["total"]),
            now=clock.now(),
        )
        return Response(with_lines(released))


class InvoiceVoid(APIView):
    required_scope = Scope.INVOICES_WRITE

    @extend_schema(request=InvoiceReasonInput, responses=InvoiceWithLines)
    @idempotent
    def post(self, request: Request, reference: str) -> Response:
        """Void an issued invoice. Refused while later invoices charged the difference to it; these are named."""
        reason = given(request, InvoiceReasonInput)["reason"]
        invoice = invoice_by_reference(reference)
        return Response(with_lines(voiding.void_invoice(invoice=invoice, reason=reason, now=clock.now())))


class InvoiceReissue(APIView):
    required_scope = Scope.INVOICES_WRITE

    @extend_schema(request=InvoiceReasonInput, responses={201: InvoiceWithLines})
    @idempotent
    def post(self, request: Request, reference: str) -> Response:
        """Make a new draft for the period of an invoice, which is voided first unless it is void already."""
        reason = given(request, InvoiceReasonInput)["reason"]
        invoice = invoice_by_reference(reference)
        draft = voiding.reissue_invoice(invoice=invoice, reason=reason, now=clock.now())
        return Response(with_lines(draft), status=201)


class InvoiceMarkPaid(APIView):
    required_scope = Scope.INVOICES_WRITE

    @extend_schema(request=InvoicePaidInput, responses=InvoiceWithLines)
    @idempotent
    def post(self, request: Request, reference: str) -> Response:
        """Say that an invoice was paid by another way, e.g. a bank transfer."""
        body = given(request, InvoicePaidInput)
        paid = settle_invoice.mark_paid(
            invoice=invoice_by_reference(reference),
            reference=body["reference"],
            reason=body["reason"],
            now=clock.now(),
        )
        return Response(with_lines(paid))


class InvoiceMarkUncollectible(APIView):
    required_scope = Scope.INVOICES_WRITE

    @extend_schema(request=InvoiceReasonInput, responses=InvoiceWithLines)
    @idempotent
    def post(self, request: Request, reference: str) -> Response:
        """Give up an open invoice as a bad debt."""
        reason = given(request, InvoiceReasonInput)["reason"]
        invoice = invoice_by_reference(reference)
        marked = settle_invoice.mark_uncollectible(invoice=invoice, reason=reason, now=clock.now())
        return Response(with_lines(marked))


class InvoiceReopen(APIView):
    required_scope = Scope.INVOICES_WRITE

    @extend_schema(request=InvoiceReasonInput, responses=InvoiceWithLines)
    @idempotent
    def post(self, request: Request, reference: str) -> Response:
        """Take back that an invoice is uncollectible: it is open again."""
        reason = given(request, InvoiceReasonInput)["reason"]
        invoice = invoice_by_reference(reference)
        opened = settle_invoice.take_back_uncollectible(invoice=invoice, reason=reason, now=clock.now())
        return Response(with_lines(opened))
