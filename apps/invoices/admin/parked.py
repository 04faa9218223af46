"""The queue of parked drafts: why, since when, how much; and late usage that is billed only when somebody says so."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from apps.core import clock
from apps.core.admin.base import FactAdmin
from apps.core.admin.confirmation import Question, ask
from apps.core.admin.display import age_text, instant_text, period_text
from apps.core.money import money_display
from apps.invoices.admin.invoice_actions import MAY_FINALIZE, ReleaseForm
from apps.invoices.models import Invoice
from apps.invoices.services.bill_late_after_end import bill_late_after_end
from apps.invoices.services.late_after_end import LateAfterEnd, late_after_end, late_of
from apps.invoices.waiting import parked
from apps.subscriptions.models import Subscription

SHOWN = 200


class ParkedPage(FactAdmin):
    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.parked)
        bill = self.admin_site.admin_view(self.bill_late)
        return [
            path("parked/", view, name="invoices_invoice_parked"),
            path("late/<int:subscription_id>/", bill, name="invoices_invoice_late"),
            *super().get_urls(),
        ]

    def parked(self, request: HttpRequest) -> HttpResponse:
        """The oldest first; a fixed number of queries."""
        if not request.user.has_perm("invoices.view_invoice"):
            raise PermissionDenied
        now = clock.now()
        drafts = (
            parked().select_related("customer").prefetch_related("park_reasons").order_by("parked_at", "id")
        )
        found = list(drafts[: SHOWN + 1])
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "title": "Parked drafts",
            "opts": self.opts,
            "rows": [row_of(invoice, now) for invoice in found[:SHOWN]],
            "has_more": len(found) > SHOWN,
            "shown": SHOWN,
            "may_release": request.user.has_perm(MAY_FINALIZE),
            "late": [late_row_of(one) for one in late_after_end(now=now)],
        }
        return TemplateResponse(request, "admin/invoices/invoice/parked.html", context)

    def bill_late(self, request: HttpRequest, subscription_id: int) -> HttpResponse:
        """Asks with the sum; what has changed since it was shown is asked again."""
        if not request.user.has_perm(MAY_FINALIZE):
            raise PermissionDenied
        subscription = get_object_or_404(
            Subscription.objects.select_related("customer", "plan_version__plan"), pk=subscription_id
        )
        late = late_of(subscription, now=clock.now())
        if late is None:
            self.tell(request, "Nothing of it waits to be billed: somebody was faster.", refused=True)
            return HttpResponseRedirect(reverse("admin:invoices_invoice_parked"))
        amount = late_row_of(late)["amount"]

        def act(given: dict[str, Any]) -> str:
            draft = bill_late_after_end(
                subscription=subscription, reason=given["reason"], total=given["total"], now=clock.now()
            )
            return f"A draft over {draft.total_display} is made; it is finalized after its grace period."

        question = Question(
            title=f"Bill late usage of {amount} to {subscription.customer}?",
            text="An invoice of its own is drafted. What comes until it is finalized is on it as well.",
            facts={
                "Customer": subscription.customer,
                "Total": amount,
                "Events": f"{late.event_count:,}",
                "Plan": subscription.plan_version,
                "Ended": instant_text(subscription.ends_at),
            },
            form=ReleaseForm,
            initial={"total": late.amount},
            button="Draft the invoice",
        )
        return ask(self, request, question, act, back=reverse("admin:invoices_invoice_parked"))


def row_of(invoice: Invoice, now: Any) -> dict[str, Any]:
    assert invoice.parked_at is not None
    return {
        "invoice": invoice,
        "period": period_text(invoice.period_start, invoice.period_end, invoice.customer.time_zone),
        "age": age_text(invoice.parked_at, now),
        "reasons": [reason for reason in invoice.park_reasons.all() if reason.released_at is None],
    }


def late_row_of(one: LateAfterEnd) -> dict[str, Any]:
    subscription = one.subscription
    return {
        "customer": subscription.customer,
        "pk": subscription.pk,
        "plan": str(subscription.plan_version),
        "ended": instant_text(subscription.ends_at),
        "events": f"{one.event_count:,}",
        "amount": money_display(one.amount, subscription.plan_version.currency),
    }
