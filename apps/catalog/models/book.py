"""Price books: the same plan priced per storefront, region and currency."""

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from apps.core.validators import code_validator, validate_currency


class PriceBook(models.Model):
    """Whom a set of prices is for. What is left empty fits everybody; the currency always has to fit.

    A plan has versions of its own in each book. Without a fitting book a plan's general prices apply.
    """

    class Storefront(models.TextChoices):
        ANY = "", "Any"
        WEB = "web", "Web"
        API = "api", "API"
        IN_APP = "in_app", "In-app"
        PARTNER = "partner", "Partner"

    code = models.CharField(max_length=63, unique=True, validators=[code_validator])
    name = models.CharField(max_length=120)
    storefront = models.CharField(max_length=10, choices=Storefront.choices, default="", blank=True)
    region = models.CharField(
        max_length=10,
        blank=True,
        validators=[RegexValidator(r"\A[A-Z0-9-]{2,10}\Z", "Write a region like EU, or a country like DE.")],
        help_text="Of the customer, like EU or DE. Empty: anywhere.",
    )
    currency = models.CharField(max_length=3, validators=[validate_currency])

    class Meta:
        ordering = ["currency", "storefront", "region"]
        constraints = [
            # Two books for the same buyers would leave it to chance which prices they see.
            models.UniqueConstraint(
                fields=["storefront", "region", "currency"],
                name="price_book_place_once",
                violation_error_message="Another price book is for this storefront, region and currency already.",
            ),
            models.CheckConstraint(
                condition=Q(storefront__in=["", "web", "api", "in_app", "partner"]),
                name="price_book_storefront",
            ),
        ]

    def __str__(self) -> str:
        return self.name
