"""Customers: whom usage is reported for and who gets the bill."""

from datetime import datetime
from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from apps.core.models import PublicModel
from apps.core.validators import validate_currency, validate_time_zone

external_id_validator = RegexValidator(
    r"\A(?!cus_)[^\s/?#\x00-\x1f][^/?#\x00-\x1f]{0,126}\Z",
    "Use 1 to 127 characters without '/', '?', '#' or a leading space; the prefix cus_ is ours.",
)


class Customer(PublicModel):
    """`external_id` is the integrator's name for the customer, and what events carry."""

    ID_PREFIX: ClassVar[str] = "cus"

    external_id = models.CharField(
        "external ID", max_length=127, unique=True, validators=[external_id_validator]
    )
    name = models.CharField(max_length=200)
    email = models.EmailField(blank=True)
    # A team under an organization.
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")
    currency = models.CharField(max_length=3, default="USD", validators=[validate_currency])
    # Periods, windows and dates on documents follow it.
    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_time_zone])
    address_line1 = models.CharField("address", max_length=200, blank=True)
    address_line2 = models.CharField("address, second line", max_length=200, blank=True)
    city = models.CharField(max_length=100, blank=True)
    postal_code = models.CharField(max_length=20, blank=True)
    region = models.CharField(max_length=100, blank=True)
    country = models.CharField(
        max_length=2,
        blank=True,
        validators=[RegexValidator(r"\A[A-Z]{2}\Z", "Write the country's ISO 3166 code, like DE or US.")],
    )
    tax_id = models.CharField("tax ID", max_length=40, blank=True)
    metadata = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(parent=models.F("id")), name="customer_is_not_its_own_parent"
            ),
            models.CheckConstraint(
                condition=Q(currency__regex=r"^[A-Z]{3}$"), name="customer_currency_is_a_code"
            ),
            models.CheckConstraint(
                condition=~Q(external_id__startswith="cus_"), name="customer_external_id_is_no_public_id"
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.external_id

    @property
    def address_lines(self) -> list[str]:
        place = " ".join(part for part in (self.postal_code, self.city) if part)
        lines = [self.address_line1, self.address_line2, place, self.region, self.country]
        return [line for line in lines if line]


class TeamBilling(models.Model):
    """Since when a team's usage is billed by its parent's subscriptions: `[starts_at, ends_at)`, the last one open.

    What is billed is billed: no such time begins or ends before what the payer's subscriptions have billed. A trigger
    lets no row change but for its end, and an exclusion constraint no two of one team overlap.
    """

    team = models.ForeignKey(Customer, models.PROTECT, related_name="team_billings")
    payer = models.ForeignKey(Customer, models.PROTECT, related_name="billed_teams")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)  # exclusive

    class Meta:
        ordering = ["starts_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(starts_at__lt=models.F("ends_at")),
                name="team_billing_in_order",
            ),
            models.CheckConstraint(condition=~Q(team=models.F("payer")), name="team_billing_by_another"),
        ]

    def __str__(self) -> str:
        return f"{self.team} billed to {self.payer}"

    def runs_at(self, instant: datetime) -> bool:
        return self.starts_at <= instant and (self.ends_at is None or instant < self.ends_at)
