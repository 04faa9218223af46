"""Prices: what one plan version asks for, one row a price. They are frozen with their version.

The columns are the fields of `apps.rating`'s definitions; CHECK constraints say which belong to which model, and
`apps.rating.parse_price` has the last word when a version is published.
"""

from decimal import Decimal
from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from apps.catalog.models.meter import Meter
from apps.catalog.models.plan import PlanVersion
from apps.core.fields import QuantityField, RateField
from apps.core.validators import code_validator

AT_LEAST_ZERO = [MinValueValidator(Decimal(0))]


def optional_amount(help_text: str = "", verbose_name: str | None = None) -> RateField:
    return RateField(verbose_name, null=True, blank=True, validators=AT_LEAST_ZERO, help_text=help_text)


def optional_quantity(help_text: str = "") -> QuantityField:
    return QuantityField(null=True, blank=True, validators=AT_LEAST_ZERO, help_text=help_text)


def only_for(models_: list[str], *columns: str) -> Q:
    """The columns are empty unless the model is one of these."""
    return Q(model__in=models_) | Q(**{f"{column}__isnull": True for column in columns})


class Price(models.Model):
    """A fee, or an amount for what a meter counted."""

    class Model(models.TextChoices):
        FLAT = "flat", "Flat fee"
        PER_UNIT = "per_unit", "Per unit"
        GRADUATED = "graduated", "Graduated tiers"
        VOLUME = "volume", "Volume tiers"
        PACKAGE = "package", "Package"
        PERCENTAGE = "percentage", "Percentage"
        GRADUATED_PERCENTAGE = "graduated_percentage", "Graduated percentage"
        DYNAMIC = "dynamic", "Dynamic: each event brings its price"
        COST_PLUS = "cost_plus", "Cost plus"

    class Timing(models.TextChoices):
        ARREARS = "arrears", "At the end of the period"
        ADVANCE = "advance", "At the start of the period"
        ONCE = "once", "Once, at the start"

    class Rounding(models.TextChoices):
        NONE = "none", "Not rounded"
        UP = "up", "Up"
        DOWN = "down", "Down"
        HALF_UP = "half_up", "Half up"

    plan_version = models.ForeignKey(PlanVersion, models.PROTECT, related_name="prices")
    position = models.PositiveSmallIntegerField(default=0, help_text="Order on the invoice.")
    code = models.CharField(max_length=63, validators=[code_validator])
    name = models.CharField(max_length=120, help_text="What the customer reads on the invoice.")
    model = models.CharField(max_length=24, choices=Model.choices, default=Model.PER_UNIT)
    meter = models.ForeignKey(Meter, models.PROTECT, null=True, blank=True, related_name="prices")
    billing_timing = models.CharField(
        "billed", max_length=8, choices=Timing.choices, default=Timing.ARREARS, help_text="Usage: at the end."
    )

    flat_amount = optional_amount("The fee. Flat fee only.")
    is_per_seat = models.BooleanField(
        "per seat", default=False, help_text="The fee is for each seat of the subscription. Flat fee only."
    )
    unit_amount = optional_amount("For one unit, or one package. 2.50 per million tokens is 0.0000025.")
    package_size = optional_quantity("Units in a package; a begun one counts in full.")
    rate = models.DecimalField(
        max_digits=20,
        decimal_places=18,
        null=True,
        blank=True,
        validators=[*AT_LEAST_ZERO, MaxValueValidator(Decimal(1))],
        help_text="0.029 is 2.9 % of the metered amount.",
    )
    fixed_amount = optional_amount("For each event. Percentage only.")
    events_included = models.PositiveBigIntegerField(null=True, blank=True, help_text="Percentage only.")
    amount_included = optional_amount("Percentage only.")
    multiplier = optional_quantity("Of the metered cost: 1.2 adds 20 %. Cost plus only.")
    unit_amount_property = models.CharField(
        max_length=127, blank=True, help_text="The event's property with its unit price. Dynamic only."
    )
    first_tier_flat_at_zero = models.BooleanField(
        "first tier's flat amount without usage",
        default=True,
        help_text="Charge the first tier's flat amount at quantity zero too.",
    )

    convert_divide_by = optional_quantity("1000: priced per thousand.")
    convert_multiply_by = optional_quantity()
    convert_rounding = models.CharField(max_length=8, choices=Rounding.choices, default=Rounding.NONE)
    quantity_included = optional_quantity("Free units, after conversion.")
    discount_percent = models.DecimalField(
        max_digits=21,
        decimal_places=18,
        null=True,
        blank=True,
        validators=[*AT_LEAST_ZERO, MaxValueValidator(Decimal(100))],
    )
    discount_amount = optional_amount()
    minimum_amount = optional_amount("A period costs at least this.")
    maximum_amount = optional_amount("A period costs at most this.")
    commitment_amount = optional_amount("Promised for each period.")
    commitment_quantity = optional_quantity("Promised for each period, in billed units.")
    commitment_true_up = models.BooleanField("charge what is missing to the commitment", default=False)
    commitment_overage_factor = models.DecimalField(
        max_digits=38,
        decimal_places=18,
        default=1,
        validators=[MinValueValidator(Decimal(1))],
        help_text="What exceeds the commitment costs this many times its price.",
    )

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["plan_version", "code"], name="price_code_once_per_version"),
            models.CheckConstraint(
                condition=Q(
                    model__in=[
                        "flat",
                        "per_unit",
                        "graduated",
                        "volume",
                        "package",
                        "percentage",
                        "graduated_percentage",
                        "dynamic",
                        "cost_plus",
                    ],
                    billing_timing__in=["arrears", "advance", "once"],
                    convert_rounding__in=["none", "up", "down", "half_up"],
                ),
                name="price_choices",
            ),
            models.CheckConstraint(
                condition=Q(model="flat", meter__isnull=True) | (~Q(model="flat") & Q(meter__isnull=False)),
                name="price_meter_unless_flat",
                violation_error_message="A flat fee has no meter; every other price needs one.",
            ),
            models.CheckConstraint(
                condition=(
                    (~Q(model="flat") | Q(flat_amount__isnull=False))
                    & (~Q(model__in=["per_unit", "package"]) | Q(unit_amount__isnull=False))
                    # A comparison with NULL is not false, and a CHECK lets pass what is not false.
                    & (~Q(model="package") | Q(package_size__isnull=False, package_size__gt=0))
                    & (~Q(model="percentage") | Q(rate__isnull=False))
                    & (~Q(model="cost_plus") | Q(multiplier__isnull=False))
                    & (~Q(model="dynamic") | ~Q(unit_amount_property=""))
                ),
                name="price_has_what_its_model_needs",
                violation_error_message=(
                    "The model needs more: flat a flat amount; per unit a unit amount; package a unit amount and a"
                    " package size; percentage a rate; cost plus a multiplier; dynamic the property of its unit price."
                ),
            ),
            models.CheckConstraint(
                condition=(
                    only_for(["flat"], "flat_amount")
                    & only_for(["per_unit", "package"], "unit_amount")
                    & only_for(["package"], "package_size")
                    & only_for(["percentage"], "rate", "fixed_amount", "events_included", "amount_included")
                    & only_for(["cost_plus"], "multiplier")
                    & (Q(model="dynamic") | Q(unit_amount_property=""))
                    & (Q(model="flat") | Q(is_per_seat=False))
                    & (
                        ~Q(model="flat")
                        | Q(
                            convert_divide_by__isnull=True,
                            convert_multiply_by__isnull=True,
                            quantity_included__isnull=True,
                            commitment_amount__isnull=True,
                            commitment_quantity__isnull=True,
                        )
                    )
                ),
                name="price_columns_fit_its_model",
                violation_error_message="A field is filled that does not belong to this model.",
            ),
            models.CheckConstraint(
                condition=Q(billing_timing="arrears") | Q(model="flat"),
                name="price_usage_in_arrears",
                violation_error_message="Only flat fees can be billed at the start; usage is billed at the end.",
            ),
            models.CheckConstraint(
                condition=(
                    (
                        Q(convert_divide_by__isnull=True)
                        | Q(convert_divide_by__gt=0, convert_multiply_by__isnull=True)
                    )
                    & (Q(convert_multiply_by__isnull=True) | Q(convert_multiply_by__gt=0))
                ),
                name="price_converts_one_way",
                violation_error_message="Convert by dividing or by multiplying, by a number above zero.",
            ),
            models.CheckConstraint(
                condition=(
                    (Q(discount_percent__isnull=True) | Q(discount_amount__isnull=True))
                    & (Q(commitment_amount__isnull=True) | Q(commitment_quantity__isnull=True))
                    & (
                        Q(minimum_amount__isnull=True)
                        | Q(maximum_amount__isnull=True)
                        | Q(minimum_amount__lte=F("maximum_amount"))
                    )
                ),
                name="price_limits_agree",
                violation_error_message=(
                    "Discount by percent or amount, commit an amount or a quantity, and keep the minimum below the"
                    " maximum."
                ),
            ),
            models.CheckConstraint(
                condition=Q(
                    *[
                        Q(**{f"{column}__isnull": True}) | Q(**{f"{column}__gte": 0})
                        for column in (
                            "flat_amount",
                            "unit_amount",
                            "rate",
                            "fixed_amount",
                            "amount_included",
                            "multiplier",
                            "quantity_included",
                            "discount_percent",
                            "discount_amount",
                            "minimum_amount",
                            "maximum_amount",
                            "commitment_amount",
                            "commitment_quantity",
                        )
                    ],
                    commitment_overage_factor__gte=1,
                ),
                name="price_amounts_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_metered(self) -> bool:
        return self.meter_id is not None

    def definition_fields(self) -> dict[str, Any]:
        """The columns that `apps.rating` knows, by its names; empty ones left out. Tiers are added by the caller."""
        fields = {name: getattr(self, name) for name in DEFINITION_COLUMNS}
        fields["first_tier_flat_at_zero"] = None if self.first_tier_flat_at_zero else False
        return {"model": self.model, **{name: value for name, value in fields.items() if value is not None}}


DEFINITION_COLUMNS = (
    "flat_amount",
    "unit_amount",
    "package_size",
    "rate",
    "fixed_amount",
    "events_included",
    "amount_included",
    "multiplier",
    "quantity_included",
    "discount_percent",
    "discount_amount",
    "minimum_amount",
    "maximum_amount",
)
