"""What staff do to one invoice. Each asks first, shows the sum of money, and calls one service with the reason."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from apps.core import clock
from apps.core.admin.base import FactAdmin
from apps.core.admin.confirmation import Question, ask
from apps.core.admin.display import period_text
from apps.core.money import money_display
from apps.invoices.dependents import resting_on
from apps.invoices.models import Invoice
from apps.invoices.services import change_draft, compute, finalize_invoice, settle_invoice, void_invoice
from apps.invoices.services.draft import MAX_REASON
from apps.invoices.waiting import unreleased

MAY_FINALIZE = "invoices.change_invoice"
Status = Invoice.Status
# Which states each action is for.
OFFERED = {
    "finalize": [Status.DRAFT],
    "refresh": [Status.DRAFT],
    "describe": [Status.DRAFT],
    "release": [Status.DRAFT],
    "mark_paid": [Status.OPEN, Status.UNCOLLECTIBLE],
    "mark_uncollectible": [Status.OPEN],
    "reopen": [Status.UNCOLLECTIBLE],
    "void": [Status.OPEN, Status.UNCOLLECTIBLE],
    "reissue": [Status.OPEN, Status.UNCOLLECTIBLE, Status.VOID],
}


class ReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=MAX_REASON, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}), help_text="Kept for ever."
    )


class PaidForm(ReasonForm):
    reference = forms.CharField(
        max_length=settle_invoice.MAX_REFERENCE,
        widget=UnfoldAdminTextInputWidget,
        help_text="Which payment it was, e.g. of the bank statement.",
    )
    field_order = ("reference", "reason")


class ReleaseForm(ReasonForm):
    total = forms.DecimalField(widget=forms.HiddenInput, max_digits=28, decimal_places=4)


class DescribeForm(forms.Form):
    purchase_order_number = forms.CharField(
        max_length=80, required=False, widget=UnfoldAdminTextInputWidget, help_text="Empty: the customer's."
    )
    memo = forms.CharField(
        max_length=1000,
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Empty: the customer's, or the legal entity's.",
    )


def facts_of(invoice: Invoice) -> dict[str, Any]:
    return {
        "Customer": invoice.customer,
        "Total": invoice.total_display,
        "Period": period_text(invoice.period_start, invoice.period_end, invoice.customer.time_zone),
        "Status": invoice.get_status_display(),
    }


class InvoiceActions(FactAdmin):
    actions_detail: Any = (
        "finalize", "release", "refresh", "describe", "mark_paid", "mark_uncollectible", "reopen", "reissue", "void",
    )  # fmt: skip

    def is_on_offer(self, action: str, record: Invoice) -> bool:
        if action in ("release", "finalize") and record.is_parked != (action == "release"):
            return False
        if action == "reissue" and (hasattr(record, "reissued_as") or record.kind == Invoice.Kind.THRESHOLD):
            return False
        if action in ("mark_paid", "mark_uncollectible") and record.total < 0:
            return False
        return record.status in OFFERED.get(action, [Status.DRAFT])

    def ask_for(
        self,
        request: HttpRequest,
        object_id: str,
        title: Callable[[Invoice], str],
        text: str,
        act: Callable[[Invoice, dict[str, Any]], str],
        *,
        button: str,
        form: type[forms.Form] = ReasonForm,
        is_dangerous: bool = False,
        facts: Callable[[Invoice], dict[str, Any]] = lambda invoice: {},
        initial: Callable[[Invoice], dict[str, Any]] = lambda invoice: {},
    ) -> HttpResponse:
        invoice: Invoice = self.record_of(request, object_id)
        question = Question(
            title=title(invoice),
            text=text,
            facts=facts_of(invoice) | facts(invoice),
            form=form,
            initial=initial(invoice),
            button=button,
            is_dangerous=is_dangerous,
        )
        return ask(self, request, question, lambda given: act(invoice, given), record=invoice)

    # Drafts

    @action(
        description="Finalize", icon="verified", variant=ActionVariant.PRIMARY, permissions=[MAY_FINALIZE]
    )
    def finalize(self, request: HttpRequest, object_id: str) -> HttpResponse:
        invoice: Invoice = self.record_of(request, object_id)

        def act(_: dict[str, Any]) -> str:
            issued = finalize_invoice.finalize_or_park(invoice=invoice, now=clock.now())
            if not issued.number:
                return f"Nothing is owed by {issued.customer_name}: the draft is finished without a number."
            return f"Invoice {issued.number} over {issued.total_display} is issued to {issued.customer_name}."

        # What it would say now: usage that came since the draft was written belongs to it.
        computed = compute.compute_invoice(
            subscription=invoice.subscription, period=invoice.period, as_of=clock.now(), kind=invoice.kind
        )
        total = money_display(computed.total, invoice.currency)
        question = Question(
            title=f"Finalize the invoice over {total}?",
            text="It takes the next number; its lines and parties are frozen and can't be changed any more.",
            facts={
                "Customer": invoice.customer,
                "Total": total,
                "Lines": len(computed.lines),
                "Period": facts_of(invoice)["Period"],
                "Plan": invoice.subscription.plan_version,
            },
            button="Finalize the invoice",
        )
        return ask(self, request, question, act, record=invoice)

    @action(description="Refresh", icon="refresh", permissions=[MAY_FINALIZE])
    def refresh(self, request: HttpRequest, object_id: str) -> HttpResponse:
        invoice: Invoice = self.record_of(request, object_id)

        def act(_: dict[str, Any]) -> str:
            draft = change_draft.refresh_draft(invoice=invoice, now=clock.now())
            words = " It is parked." if draft.is_parked else ""
            return f"The draft says {draft.total_display} now.{words}"

        question = Question(
            title="Refresh the draft?",
            text="Its usage is read anew, and the brakes look at it again.",
            facts=facts_of(invoice),
            button="Refresh",
        )
        return ask(self, request, question, act, record=invoice)

    @action(
        description="Release", icon="lock_open", variant=ActionVariant.PRIMARY, permissions=[MAY_FINALIZE]
    )
    def release(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(invoice: Invoice, given: dict[str, Any]) -> str:
            change_draft.release_invoice(
                invoice=invoice, reason=given["reason"], total=given["total"], now=clock.now()
            )
            return f"The draft over {invoice.total_display} is released."

        return self.ask_for(
            request,
            object_id,
            lambda invoice: f"Release the draft over {invoice.total_display}?",
            "It is finalized when its grace period has ended. The release holds for what is listed here;"
            " what is new or worse by then parks it again.",
            act,
            button="Release it",
            form=ReleaseForm,
            facts=lambda invoice: {one.get_brake_display(): one.words for one in unreleased(invoice)},
            initial=lambda invoice: {"total": invoice.total},
        )

    @action(description="Memo and PO number", icon="edit_note", permissions=[MAY_FINALIZE])
    def describe(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(invoice: Invoice, given: dict[str, Any]) -> str:
            change_draft.describe_draft(invoice=invoice, **given)
            return "Memo and purchase-order number are noted."

        return self.ask_for(
            request,
            object_id,
            lambda invoice: "Memo and purchase-order number",
            "They stand on this invoice alone.",
            act,
            button="Save",
            form=DescribeForm,
            initial=lambda invoice: {
                "memo": invoice.memo,
                "purchase_order_number": invoice.purchase_order_number,
            },
        )

    # Issued invoices

    @action(description="Mark as paid", icon="payments", permissions=[MAY_FINALIZE])
    def mark_paid(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(invoice: Invoice, given: dict[str, Any]) -> str:
            paid = settle_invoice.mark_paid(invoice=invoice, now=clock.now(), **given)
            return f"Invoice {paid.number} over {paid.total_display} is paid."

        return self.ask_for(
            request,
            object_id,
            lambda invoice: f"Mark {invoice} over {invoice.total_display} as paid?",
            "The whole amount came by another way than the payment provider. It can't be taken back.",
            act,
            button="Mark as paid",
            form=PaidForm,
        )

    @action(description="Mark as uncollectible", icon="money_off", permissions=[MAY_FINALIZE])
    def mark_uncollectible(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(invoice: Invoice, given: dict[str, Any]) -> str:
            settle_invoice.mark_uncollectible(invoice=invoice, now=clock.now(), **given)
            return f"Invoice {invoice.number} over {invoice.total_display} is given up."

        return self.ask_for(
            request,
            object_id,
            lambda invoice: f"Give up {invoice} over {invoice.total_display}?",
            "It stays billed; nobody expects it to be paid any more. This can be taken back.",
            act,
            button="Mark as uncollectible",
            is_dangerous=True,
        )

    @action(description="Reopen", icon="undo", permissions=[MAY_FINALIZE])
    def reopen(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(invoice: Invoice, given: dict[str, Any]) -> str:
            settle_invoice.take_back_uncollectible(invoice=invoice, now=clock.now(), **given)
            return f"Invoice {invoice.number} is open again."

        return self.ask_for(
            request,
            object_id,
            lambda invoice: f"Reopen {invoice} over {invoice.total_display}?",
            "It counts as collectible again.",
            act,
            button="Reopen",
        )

    @action(description="Void", icon="block", permissions=[MAY_FINALIZE])
    def void(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(invoice: Invoice, given: dict[str, Any]) -> str:
            void_invoice.void_invoice(invoice=invoice, now=clock.now(), **given)
            return f"Invoice {invoice.number} over {invoice.total_display} is void."

        return self.ask_for(
            request,
            object_id,
            lambda invoice: f"Void {invoice} over {invoice.total_display}?",
            "It charges nothing any more, and its number stays taken. Its period is not billed until it is reissued.",
            act,
            button="Void the invoice",
            is_dangerous=True,
            facts=in_the_way,
        )

    @action(description="Reissue", icon="restart_alt", permissions=[MAY_FINALIZE])
    def reissue(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(invoice: Invoice, given: dict[str, Any]) -> str:
            draft = void_invoice.reissue_invoice(invoice=invoice, now=clock.now(), **given)
            return f"Invoice {invoice.number} is void; a new draft says {draft.total_display}."

        return self.ask_for(
            request,
            object_id,
            lambda invoice: f"Void {invoice} over {invoice.total_display} and reissue it?",
            "A new draft is made for the same period, from usage and plan as they are now.",
            act,
            button="Void and reissue",
            is_dangerous=True,
            facts=in_the_way,
        )


def in_the_way(invoice: Invoice) -> dict[str, Any]:
    if invoice.status not in OFFERED["void"]:
        return {}
    names = ", ".join(str(one) for one in resting_on(invoice))
    return {"Void these first": names} if names else {}
