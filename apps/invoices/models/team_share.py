"""What of a line each customer used, where an organization pays for its teams."""

from django.db import models

from apps.core.fields import AmountField, QuantityField
from apps.core.money import money_text
from apps.customers.models import Customer
from apps.invoices.models.line import InvoiceLine


class TeamShare(models.Model):
    """A team's part of a line, or the organization's own part.

    Amounts add up to the line's, and so do quantities of sums, counts and levels. A largest, smallest, latest or
    different value is each team's own, and does not add up. Frozen with the line, by a trigger.
    """

    line = models.ForeignKey(InvoiceLine, models.PROTECT, related_name="team_shares")
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="team_shares")
    quantity = QuantityField()
    event_count = models.BigIntegerField()
    amount = AmountField()

    class Meta:
        ordering = ["line_id", "id"]
        constraints = [
            models.UniqueConstraint(fields=["line", "customer"], name="team_share_customer_once"),
        ]

    def __str__(self) -> str:
        return f"{self.customer}: {self.quantity}"

    @property
    def amount_text(self) -> str:
        return money_text(self.amount, self.line.invoice.currency)
