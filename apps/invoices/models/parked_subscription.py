"""Subscriptions that can't be billed, each with its reason, until somebody releases it."""

from django.db import models
from django.db.models import F, Q

from apps.invoices.models.billing_run import BillingRun
from apps.invoices.models.invoice import Invoice
from apps.subscriptions.models import Subscription
from apps.subscriptions.periods import Period

MAX_MESSAGE = 1_000


class ParkedSubscription(models.Model):
    """Why the invoice of a period can't be made. Open or closing skips the subscription while a row is not released.

    Released rows stay, so that it can be told how often it was tried and who let it go on.
    """

    subscription = models.ForeignKey(Subscription, models.PROTECT, related_name="parkings")
    run = models.ForeignKey(BillingRun, models.PROTECT, null=True, related_name="parkings")
    # The invoice that could not be made.
    kind = models.CharField(max_length=10, choices=Invoice.Kind.choices)
    period_start = models.DateTimeField()
    period_end = models.DateTimeField()  # exclusive
    code = models.CharField(max_length=80)
    message = models.CharField(max_length=MAX_MESSAGE)
    # By the tenant's clock.
    parked_at = models.DateTimeField()
    # How often this period was tried in vain, releases in between included.
    tries = models.PositiveIntegerField(default=1)
    released_at = models.DateTimeField(null=True)
    release_reason = models.TextField(blank=True)

    class Meta:
        ordering = ["parked_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["subscription"],
                condition=Q(released_at__isnull=True),
                name="parked_subscription_once",
            ),
            models.CheckConstraint(
                condition=Q(released_at__isnull=True) | ~Q(release_reason=""),
                name="parked_subscription_release_has_reason",
            ),
            models.CheckConstraint(
                condition=Q(period_start__lt=F("period_end")), name="parked_subscription_period_in_order"
            ),
        ]
        indexes = [
            models.Index(
                fields=["parked_at"],
                name="parked_subscription_open",
                condition=Q(released_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return str(self.subscription)

    @property
    def is_open(self) -> bool:
        return self.released_at is None

    @property
    def period(self) -> Period:
        return Period(self.period_start, self.period_end)
