"""The form of a meter. What it measures is typed only while nothing is frozen: at first, and of a draft."""

from decimal import Decimal
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminTextInputWidget

from apps.catalog.admin.filter_lines import FilterLinesField
from apps.catalog.admin.price_form import PlainDecimal
from apps.catalog.models import Meter
from apps.catalog.services.meter_fields import problems_of_value

# What may be left empty, because most meters want the same.
IDLE = {"status": Meter.Status.ACTIVE, "display_unit_size": Decimal(1), "cardinality_warning_from": 10_000}


class MeterForm(forms.ModelForm):
    filters = FilterLinesField(
        required=False,
        label="Only where",
        help_text='One filter a line; all must hold. region in eu, us; or: tier not in free. Absent is "".',
    )
    display_unit_size = PlainDecimal(
        required=False,
        initial=Decimal(1),
        label="Units in one of those",
        max_digits=48,
        decimal_places=18,
        help_text="1000000 for M tokens.",
    )

    class Meta:
        model = Meter
        fields = (
            "name", "code", "status", "event_name", "aggregation", "value_property", "value_expression", "filters",
            "dimensions", "unit", "display_unit", "display_unit_size", "cardinality_warning_from",
        )  # fmt: skip
        labels = {
            "value_property": "Property",
            "value_expression": "or expression",
            "dimensions": "Grouped by",
        }
        widgets = {"dimensions": UnfoldAdminTextInputWidget}
        help_texts = {
            "status": "A draft counts, and what it measures may still change. Prices need active ones."
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in IDLE:
            if name in self.fields:
                self.fields[name].required = False

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for name, value in IDLE.items():
            if name in cleaned and cleaned[name] in (None, ""):
                cleaned[name] = value
        if {"aggregation", "value_property", "value_expression"} <= cleaned.keys():
            for problem in problems_of_value(cleaned):
                self.add_error(problem.pointer.strip("/"), problem.message)
        size = cleaned.get("display_unit_size")
        if size is not None and size != 1 and not cleaned.get("display_unit", "x"):
            self.add_error("display_unit", "Name the unit that the size belongs to.")
        return cleaned
