"""Which field of a price belongs to which model, and where it stands on the page."""

from apps.catalog.models import Price

Model = Price.Model
TIERED = (Model.GRADUATED, Model.VOLUME, Model.GRADUATED_PERCENTAGE)
METERED = tuple(model for model in Model if model != Model.FLAT)
AMOUNTS = ("discount_percent", "discount_amount", "minimum_amount", "maximum_amount")

# Which model asks for which of the columns that not every model has. The page hides the others.
MODELS_OF: dict[str, tuple[Model, ...]] = {
    "flat_amount": (Model.FLAT,),
    "is_per_seat": (Model.FLAT,),
    "billing_timing": (Model.FLAT,),
    "unit_amount": (Model.PER_UNIT, Model.PACKAGE),
    "package_size": (Model.PACKAGE,),
    "rate": (Model.PERCENTAGE,),
    "fixed_amount": (Model.PERCENTAGE,),
    "events_included": (Model.PERCENTAGE,),
    "amount_included": (Model.PERCENTAGE,),
    "multiplier": (Model.COST_PLUS,),
    "unit_amount_property": (Model.DYNAMIC,),
    "first_tier_flat_at_zero": TIERED,
    "meter": METERED,
    "convert_divide_by": METERED,
    "convert_multiply_by": METERED,
    "convert_rounding": METERED,
    "quantity_included": METERED,
    "commitment_amount": METERED,
    "commitment_quantity": METERED,
    "commitment_true_up": METERED,
    "commitment_overage_factor": METERED,
    "tiers": TIERED,
    "filters": METERED,
}
# Columns of a tier, by the models that have them.
TIER_MODELS_OF = {
    "unit_amount": (Model.GRADUATED, Model.VOLUME),
    "rate": (Model.GRADUATED_PERCENTAGE,),
}
# What these say stands for itself when they are not shown.
DEFAULTS = {
    "billing_timing": Price.Timing.ARREARS,
    "convert_rounding": Price.Rounding.NONE,
    "commitment_overage_factor": 1,
}
# Names, codes and places say nothing about what a price costs.
SILENT = ("name", "code", "position", "meter", "billing_timing", "unit_amount_property", "is_per_seat")
FIELDSETS = (
    (None, {"fields": ("name", "code", "model", "meter", "billing_timing")}),
    (
        "Price",
        {
            "fields": (
                "flat_amount", "is_per_seat", "package_size", "unit_amount", "rate", "fixed_amount", "multiplier",
                "unit_amount_property",
            )
        },
    ),
    (
        "Free part and conversion",
        {
            "fields": (
                "quantity_included", "events_included", "amount_included", "convert_divide_by",
                "convert_multiply_by", "convert_rounding", "first_tier_flat_at_zero",
            ),
            "classes": ("collapse", "ch-fold"),
        },
    ),
    (
        "Discount, minimum and maximum",
        {
            "fields": ("discount_percent", "discount_amount", "minimum_amount", "maximum_amount"),
            "classes": ("collapse", "ch-fold"),
        },
    ),
    (
        "Commitment",
        {
            "fields": (
                "commitment_amount", "commitment_quantity", "commitment_true_up", "commitment_overage_factor",
            ),
            "classes": ("collapse", "ch-fold"),
        },
    ),
    ("On the invoice", {"fields": ("position",), "classes": ("collapse",)}),
)  # fmt: skip
