"""Invoices: read as documents; a draft is finalized after a look at what that means."""

from collections import defaultdict
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, RangeDateFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from apps.core import clock
from apps.core.admin.base import FactAdmin
from apps.core.admin.confirmation import Question, ask
from apps.core.admin.display import badge, day_text, instant_text, period_text
from apps.core.admin_sites import tenant_site
from apps.core.errors import Refused
from apps.core.money import money_display
from apps.invoices.admin.document import document_of, unpriced_rows
from apps.invoices.models import Invoice
from apps.invoices.services import compute, finalize_invoice

MAY_FINALIZE = "invoices.change_invoice"


class InvoiceAdmin(FactAdmin):
    list_display = (
        "number_shown",
        "customer",
        "state",
        "period_shown",
        "total_shown",
        "due_shown",
        "finalized_at_shown",
    )
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("customer", AutocompleteSelectFilter),
        ("due_on", RangeDateFilter),
    )
    list_select_related = ("customer",)
    search_fields = ("number", "customer__name", "customer__external_id", "=public_id")
    search_help_text = "Number, customer or inv_…"
    date_hierarchy = "period_start"
    ordering = ("-id",)
    actions = ("finalize_selected",)
    actions_detail = ("finalize",)
    change_form_template = "admin/invoices/invoice/document.html"

    @display(description="Number", ordering="number")
    def number_shown(self, invoice: Invoice) -> str:
        return invoice.number or "Draft"

    @display(description="Status", ordering="status")
    def state(self, invoice: Invoice) -> str:
        return badge(invoice.get_status_display())

    @display(description="Period", ordering="period_start")
    def period_shown(self, invoice: Invoice) -> str:
        return period_text(invoice.period_start, invoice.period_end, invoice.customer.time_zone)

    @display(description="Total", ordering="total")
    def total_shown(self, invoice: Invoice) -> str:
        return invoice.total_display

    @display(description="Due", ordering="due_on")
    def due_shown(self, invoice: Invoice) -> str:
        return day_text(invoice.due_on)

    @display(description="Finalized", ordering="finalized_at")
    def finalized_at_shown(self, invoice: Invoice) -> str:
        return instant_text(invoice.finalized_at)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Invoice]:
        queryset: QuerySet[Invoice] = super().get_queryset(request)
        return queryset.select_related("customer", "subscription__plan_version__plan")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        invoice: Invoice = kwargs["obj"]
        context |= {
            "invoice": invoice,
            "document": document_of(request, invoice),
            "unpriced": unpriced_rows(invoice.unpriced, invoice.customer.time_zone),
            "may_finalize": invoice.is_draft and request.user.has_perm(MAY_FINALIZE),
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def is_on_offer(self, action: str, record: Invoice) -> bool:
        return record.is_draft

    def has_finalize_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm(MAY_FINALIZE))

    @action(
        description="Finalize", icon="verified", variant=ActionVariant.PRIMARY, permissions=[MAY_FINALIZE]
    )
    def finalize(self, request: HttpRequest, object_id: str) -> HttpResponse:
        invoice: Invoice = self.record_of(request, object_id)

        def act(_: dict[str, Any]) -> str:
            issued = finalize_invoice.finalize_invoice(invoice=invoice, now=clock.now())
            return f"Invoice {issued.number} over {issued.total_display} is issued to {issued.customer_name}."

        # What it would say now: usage that came since the draft was written belongs to it.
        computed = compute.compute_invoice(
            subscription=invoice.subscription, period=invoice.period, as_of=clock.now(), kind=invoice.kind
        )
        question = Question(
            title=f"Finalize the invoice over {money_display(computed.total, invoice.currency)}?",
            text="It takes the next number; its lines and parties are frozen and can't be changed any more.",
            facts={
                "Customer": invoice.customer,
                "Total": money_display(computed.total, invoice.currency),
                "Lines": len(computed.lines),
                "Period": period_text(invoice.period_start, invoice.period_end, invoice.customer.time_zone),
                "Plan": invoice.subscription.plan_version,
            },
            button="Finalize the invoice",
        )
        return ask(self, request, question, act, record=invoice)

    @action(description="Finalize selected drafts", permissions=["finalize"])
    def finalize_selected(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> HttpResponse:
        """Each on its own: what one refuses does not hold up the others."""
        drafts = list(queryset.filter(status=Invoice.Status.DRAFT).order_by("period_end", "-kind", "id"))
        names = ("action", "_selected_action", "select_across", "index")

        def act(_: dict[str, Any]) -> str:
            issued = 0
            for invoice in drafts:
                try:
                    finalize_invoice.finalize_invoice(invoice=invoice, now=clock.now())
                    issued += 1
                except Refused as refused:
                    self.tell(request, f"{invoice}: {refused.message}", refused=True)
            return f"{issued} of {len(drafts)} drafts are finalized."

        totals: defaultdict[str, Decimal] = defaultdict(Decimal)
        for invoice in drafts:
            totals[invoice.currency] += invoice.total
        question = Question(
            title=f"Finalize {len(drafts)} drafts?",
            text="Usage is read once more for each, so totals may still rise. Afterwards they can't be changed.",
            facts={
                f"Total in {currency}": money_display(total, currency)
                for currency, total in sorted(totals.items())
            },
            button="Finalize the drafts",
            hidden=[(name, value) for name in names for value in request.POST.getlist(name)],
        )
        return ask(self, request, question, act, is_answered="confirmed" in request.POST)


tenant_site.register(Invoice, InvoiceAdmin)
