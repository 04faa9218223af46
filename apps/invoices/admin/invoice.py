"""Invoices: read as documents; a draft is finalized after a look at what that means."""

from collections import defaultdict
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    DropdownFilter,
    RangeDateFilter,
    RangeDateTimeFilter,
    RelatedDropdownFilter,
)
from unfold.decorators import action, display

from apps.core import clock
from apps.core.admin.confirmation import Question, ask
from apps.core.admin.display import badge, counted, day_text, instant_text, period_text
from apps.core.admin_sites import tenant_site
from apps.core.errors import Refused
from apps.core.money import money_display
from apps.invoices.admin.document import document_of, unpriced_rows
from apps.invoices.admin.invoice_actions import MAY_FINALIZE, InvoiceActions
from apps.invoices.admin.line_events import LineEventsPages
from apps.invoices.admin.parked import ParkedPage
from apps.invoices.admin.rows import kind_text
from apps.invoices.brakes import tripped_by
from apps.invoices.models import Invoice
from apps.invoices.selectors import billing_settings
from apps.invoices.services import finalize_invoice


class ParkedFilter(DropdownFilter):
    title = "parked"
    parameter_name = "parked"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Held by a brake"), ("no", "Not held")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() not in ("yes", "no"):
            return queryset
        return queryset.filter(parked_at__isnull=self.value() == "no")


class InvoiceAdmin(InvoiceActions, LineEventsPages, ParkedPage):
    empty_text = "The first invoice is drafted when the first period of a subscription is over."
    list_display = (
        "number_shown",
        "customer",
        "kind_shown",
        "state",
        "period_shown",
        "total_shown",
        "due_shown",
        "finalized_at_shown",
    )
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ParkedFilter,
        ("payment_status", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("legal_entity", RelatedDropdownFilter),
        ("period_start", RangeDateTimeFilter),
        ("customer", AutocompleteSelectFilter),
        ("due_on", RangeDateFilter),
    )
    list_select_related = ("customer",)
    search_fields = ("number", "customer__name", "customer__external_id", "=public_id")
    search_help_text = "Number, customer or inv_…"
    date_hierarchy = "period_start"
    ordering = ("-id",)
    actions = ("finalize_selected",)
    change_form_template = "admin/invoices/invoice/document.html"

    @display(description="Number", ordering="number")
    def number_shown(self, invoice: Invoice) -> str:
        return invoice.number or ("Draft" if invoice.is_draft else "Nothing owed")

    @display(description="Kind", ordering="kind")
    def kind_shown(self, invoice: Invoice) -> str:
        return kind_text(invoice) or "Period"

    @display(description="Status", ordering="status")
    def state(self, invoice: Invoice) -> str:
        return badge("Parked", "danger") if invoice.is_parked else badge(invoice.get_status_display())

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
        return queryset.select_related(
            "customer", "subscription__plan_version__plan", "legal_entity", "reissue_of", "reissued_as"
        )

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        invoice: Invoice = kwargs["obj"]
        context |= {
            "invoice": invoice,
            "document": document_of(request, invoice),
            "unpriced": unpriced_rows(invoice.unpriced, invoice.customer.time_zone),
            "brakes": brakes_on(invoice),
            "may_finalize": invoice.is_draft and request.user.has_perm(MAY_FINALIZE),
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def has_finalize_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm(MAY_FINALIZE))

    @action(description="Finalize selected drafts", permissions=["finalize"])
    def finalize_selected(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> HttpResponse:
        """Each on its own: what one refuses does not hold up the others."""
        drafts = list(queryset.filter(status=Invoice.Status.DRAFT).order_by("period_end", "-kind", "id"))
        names = ("action", "_selected_action", "select_across", "index")

        def act(_: dict[str, Any]) -> str:
            issued = 0
            for invoice in drafts:
                try:
                    finalize_invoice.finalize_or_park(invoice=invoice, now=clock.now())
                    issued += 1
                except Refused as refused:
                    self.tell(request, f"{invoice}: {refused.message}", refused=True)
            return f"{issued} of {len(drafts)} drafts are finalized."

        totals: defaultdict[str, Decimal] = defaultdict(Decimal)
        for invoice in drafts:
            totals[invoice.currency] += invoice.total
        question = Question(
            title=f"Finalize {counted(len(drafts), 'draft')}?",
            text="Usage is read once more for each, so totals may still rise. Afterwards they can't be changed.",
            facts={
                f"Total in {currency}": money_display(total, currency)
                for currency, total in sorted(totals.items())
            },
            button="Finalize the drafts",
            hidden=[(name, value) for name in names for value in request.POST.getlist(name)],
        )
        return ask(self, request, question, act, is_answered="confirmed" in request.POST)


def brakes_on(invoice: Invoice) -> list[dict[str, Any]]:
    """What holds the draft; of one that was not looked at yet, what would; of an issued one, what was released."""
    noted = {reason.brake: reason for reason in invoice.park_reasons.all()}
    found = [
        {"name": one.get_brake_display(), "words": one.words, "released": one.release_reason}
        for one in noted.values()
    ]
    if invoice.is_draft and not invoice.is_parked:
        found += [
            {"name": one.brake.label, "words": one.words, "released": ""}
            for one in tripped_by(invoice, billing_settings())
            if one.brake not in noted
        ]
    return found


tenant_site.register(Invoice, InvoiceAdmin)
