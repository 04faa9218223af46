"""What beat and people do with invoices, and what goes wrong meanwhile."""

from contextlib import suppress
from functools import partial

from django.db.models import QuerySet

from apps.core.errors import Refused
from apps.invoices.models import BillingSettings, Invoice
from apps.invoices.services import (
    bill_thresholds,
    close_batch,
    close_periods,
    finalize_invoice,
    settle_invoice,
    void_invoice,
)
from apps.invoices.services.bill_late_after_end import bill_late_after_end
from apps.invoices.services.late_after_end import late_after_end
from apps.invoices.services.park_subscription import release_all
from apps.subscriptions.models import Subscription
from apps.usage.services.rollups import roll
from tests.concurrency.together import returned, together
from tests.simulation.failures import CLOSING_POINTS, FINALIZING_POINTS, Broken, Killed, failing_after
from tests.simulation.world import DAY, World

REASON = {"reason": "Asked for by the customer"}


class Workers(World):
    def bill(self) -> None:
        """What beat does: by workers that are killed, stumble, or stand side by side; then by one left alone."""
        how = self.chance.choice(
            ["alone", "alone", "twice", "killed", "killed", "broken", "parked", "side by side"]
        )
        release_all(reason="Mended", now=self.now)
        if how == "killed":
            module, name = self.chance.choice([*CLOSING_POINTS, *FINALIZING_POINTS])
            with suppress(Killed), failing_after(module, name, Killed(), call=self.chance.randint(1, 3)):
                self.beat()
        elif how == "broken":
            module, name = self.chance.choice(CLOSING_POINTS[:3])
            with failing_after(module, name, Broken("once")):
                self.beat()
        elif how == "parked":
            with failing_after(close_batch, "compute_invoices", Broken("again and again")):
                close_periods.close_due_periods(self.now)
            self.note("one or another is parked")
        elif how == "side by side":
            closing = partial(close_periods.close_due_periods, self.now)
            finalizing = partial(finalize_invoice.finalize_due_invoices, self.now)
            opening = partial(close_periods.open_due_subscriptions, self.now)
            ahead = partial(bill_thresholds.bill_thresholds, self.now)
            returned(together(self.tenant, [closing, closing, finalizing, finalizing, opening, ahead, ahead]))
        if how == "twice":
            self.beat()
        self.beat()
        self.note(f"billed, {how}")

    def beat(self) -> None:
        close_periods.open_due_subscriptions(self.now)
        close_periods.close_due_periods(self.now)
        bill_thresholds.bill_thresholds(self.now)
        while finalize_invoice.finalize_due_invoices(self.now):
            pass
        roll.roll_days(until=self.now.replace(hour=0, minute=0, second=0, microsecond=0) - 2 * DAY)
        ended = set(Subscription.objects.filter(status="ended").values_list("pk", flat=True))
        for life in self.lives:
            life.is_over = life.subscription_id in ended

    def other_grace(self) -> None:
        BillingSettings.objects.update(draft_grace_hours=self.chance.choice([0, 0, 24, 72]))

    def some_invoice(self, *states: str) -> Invoice | None:
        found = Invoice.objects.filter(status__in=states).order_by(
            "subscription_id", "kind", "period_start", "id"
        )
        count = found.count()
        return found[self.chance.randrange(count)] if count else None

    def settle(self) -> None:
        """Somebody pays, somebody never will, and somebody finalizes a draft by hand."""
        invoice = self.some_invoice("open")
        if invoice is not None and self.chance.random() < 0.5 and not self.void_of(invoice).exists():
            with suppress(Refused):
                settle_invoice.mark_paid(invoice=invoice, reference="T 1", now=self.now, **REASON)
        elif invoice is not None:
            settle_invoice.mark_uncollectible(invoice=invoice, now=self.now, **REASON)
        draft = self.some_invoice("draft")
        if draft is not None:
            with suppress(Refused):
                finalize_invoice.finalize_invoice(invoice=draft, now=self.now)

    def bill_late(self) -> int:
        """What came after the last invoices of those who left."""
        done = 0
        for one in late_after_end(now=self.now):
            bill_late_after_end(
                subscription=one.subscription, total=one.amount, reason="Came too late", now=self.now
            )
            self.note(f"late usage of {one.subscription.pk}: {one.amount}")
            done += 1
        return done

    def void_of(self, invoice: Invoice) -> QuerySet[Invoice]:
        """What waits for being reissued: what is paid in its stead could not be taken back any more."""
        return Invoice.objects.filter(
            subscription_id=invoice.subscription_id, status="void", reissued_as__isnull=True
        )

    def take_back(self) -> None:
        """Void an invoice with all that rest on it, and reissue it at once, or later."""
        invoice = self.some_invoice("open", "uncollectible")
        if invoice is None:
            return
        paid = Invoice.objects.filter(subscription_id=invoice.subscription_id, status="paid")
        if paid.filter(period_end__gt=invoice.period_start).exists():
            return
        self.void(invoice)
        if self.chance.random() < 0.7:
            self.reissue_all()

    def void(self, invoice: Invoice) -> None:
        """The invoices that rest on it before it, in the order that is named."""
        try:
            void_invoice.void_invoice(invoice=invoice, now=self.now, **REASON)
        except Refused as refused:
            if refused.code != "invoices_rest_on_it":
                raise
            self.void_named(invoice, refused)
            self.void(invoice)
        else:
            self.note(f"voided {invoice.kind} {invoice.period_start} of {invoice.subscription_id}")

    def void_named(self, invoice: Invoice, refused: Refused) -> None:
        beside = {str(one): one for one in Invoice.objects.filter(subscription_id=invoice.subscription_id)}
        assert refused.errors
        for one in refused.errors:
            named = beside[one["message"]]
            named.refresh_from_db()
            # Voiding one of them may have asked for another one first.
            if named.status != "void":
                self.void(named)

    def reissue_all(self) -> int:
        """The oldest first, with whatever was issued instead since."""
        done = 0
        withdrawn: set[int] = set()
        while True:
            # Late usage after the end is listed again when its invoice is void; a cycle takes what a threshold charged.
            waiting = Invoice.objects.filter(status="void", reissued_as__isnull=True).exclude(
                kind__in=["late", "threshold"]
            )
            one = (
                waiting.exclude(pk__in=withdrawn)
                .order_by("subscription_id", "period_end", "-kind", "id")
                .first()
            )
            if one is None:
                return done
            try:
                void_invoice.reissue_invoice(invoice=one, now=self.now, **REASON)
            except Refused as refused:
                if refused.code == "charge_withdrawn":
                    withdrawn.add(one.pk)
                    continue
                if refused.code != "fees_billed_since":
                    raise
                self.void_named(one, refused)
                continue
            self.note(f"reissued {one.kind} {one.period_start} of {one.subscription_id}")
            done += 1
