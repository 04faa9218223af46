from django.apps import AppConfig


class InvoicesConfig(AppConfig):
    name = "apps.invoices"
    label = "invoices"

    def ready(self) -> None:
        from apps.core.jobs import register_due_job
        from apps.invoices import due, holds, waiting
        from apps.invoices.services import (
            bill_thresholds,
            close_periods,
            finalize_invoice,
            one_off_charges,
            provision,
        )
        from apps.subscriptions.services import cancel
        from apps.tenants.services.provision import add_provisioning_step
        from apps.usage.services.retention import register_hold

        add_provisioning_step(provision.provision_billing)
        cancel.add_check(one_off_charges.refuse_waiting)
        register_due_job(
            name="open_subscriptions",
            rank=5,
            next_due_at=due.next_opening_at,
            run=close_periods.open_due_subscriptions,
        )
        register_due_job(
            name="close_periods",
            rank=10,
            next_due_at=due.next_boundary_at,
            run=close_periods.close_due_periods,
        )
        # After closing, which has usage of a period that is over; before finalizing, which issues what it drafts.
        register_due_job(
            name="bill_thresholds",
            rank=15,
            next_due_at=bill_thresholds.next_threshold_at,
            run=bill_thresholds.bill_thresholds,
        )
        register_due_job(
            name="finalize_invoices",
            rank=20,
            next_due_at=waiting.next_finalization_at,
            run=finalize_invoice.finalize_due_invoices,
        )
        register_hold("drafts of invoices", holds.drafts_need)
        register_hold("invoices that are not paid yet", holds.open_invoices_need)
        register_hold("periods that are not invoiced yet", holds.open_periods_need)
        register_hold("invoiced periods that late events may still reach", holds.late_events_need)
