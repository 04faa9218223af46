"""The form of one price with its tiers and filters. What `apps.rating` refuses is said at the field it is about."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.forms.models import BaseInlineFormSet
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from apps.catalog.admin.price_layout import DEFAULTS, SILENT, TIERED
from apps.catalog.definitions import definition_document
from apps.catalog.models import Meter, PlanVersion, Price, PriceFilter, PriceTier
from apps.catalog.services.plans import NewPrice, problems_of, reach
from apps.rating import Problem, plain

# For people: rating speaks of JSON.
FRIENDLY = {
    "missing_field": "Fill this in.",
    "open_tier_missing": "Leave this empty: the last tier takes all that is beyond.",
    "open_tier_not_last": "Only one tier can be open, the last one.",
    "unknown_model": "Choose a model.",
    "unknown_field": "This doesn't belong to this price model.",
}


@dataclass
class Found:
    """Problems of one definition, by where they are shown."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    tiers: dict[int, dict[str, list[str]]] = field(default_factory=dict)
    filters: dict[str, list[str]] = field(default_factory=dict)
    of_tiers: list[str] = field(default_factory=list)


class PlainDecimal(forms.DecimalField):
    """Typed as text, shown without idle zeros: a number input would pad 0.0000025, and round it on some keyboards."""

    widget = UnfoldAdminTextInputWidget

    def __init__(self, **kwargs: Any) -> None:
        kwargs["widget"] = UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal", "autocomplete": "off"})
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        return plain(value) if hasattr(value, "is_finite") and value.is_finite() else value


class LinesField(forms.CharField):
    """A list, one value a line: a comma may be part of a value."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs["widget"] = UnfoldAdminTextareaWidget(attrs={"rows": 2})
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:  # type: ignore[override]
        lines = [line.strip() for line in str(value or "").splitlines()]
        return list(dict.fromkeys(line for line in lines if line))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return list(initial or []) != self.to_python(data)

    def run_validators(self, value: Any) -> None:
        for one in value:
            super().run_validators(one)


class PriceForm(forms.ModelForm):
    """`plan_version` is set on the class by the admin, `formsets` on the instance: tiers and filters.

    They are checked together, because what rating accepts is the whole of them.
    """

    plan_version: PlanVersion
    formsets: dict[str, BaseInlineFormSet]

    class Meta:
        model = Price
        fields = (
            "name", "code", "model", "meter", "billing_timing", "flat_amount", "is_per_seat", "unit_amount",
            "package_size", "rate", "fixed_amount", "events_included", "amount_included", "multiplier",
            "unit_amount_property", "first_tier_flat_at_zero", "convert_divide_by", "convert_multiply_by",
            "convert_rounding", "quantity_included", "discount_percent", "discount_amount", "minimum_amount",
            "maximum_amount", "commitment_amount", "commitment_quantity", "commitment_true_up",
            "commitment_overage_factor", "position",
        )  # fmt: skip
        labels = {
            "convert_divide_by": "Divide by",
            "convert_multiply_by": "Multiply by",
            "convert_rounding": "Round to whole units",
            "commitment_true_up": "Charge what is missing",
            "commitment_overage_factor": "Overage factor",
            "first_tier_flat_at_zero": "First tier's flat amount without usage",
            "position": "Order",
        }
        help_texts = {
            "flat_amount": "The fee for a period.",
            "fixed_amount": "For each event that is not free.",
            "events_included": "The first so many events are free.",
            "amount_included": "The first so much money is free.",
            "multiplier": "Of the metered cost: 1.2 adds 20 %.",
            "unit_amount_property": "The event's property that holds its unit price.",
            "convert_divide_by": "1000: priced per thousand.",
            "convert_multiply_by": "Instead of dividing.",
            "billing_timing": "",
            "position": "Prices stand on the invoice in this order.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.formsets = {}
        self.instance.plan_version = self.plan_version
        # The admin makes the formsets for the instance, and hands them over here.
        self.instance.typed_in = self
        for name, value in DEFAULTS.items():
            if name in self.fields:
                self.fields[name].required = False
                self.fields[name].widget.attrs["data-idle"] = str(value)

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        others = self.plan_version.prices.exclude(pk=self.instance.pk)
        if others.filter(code=code).exists():
            raise ValidationError(f"Another price of {self.plan_version} has this code.")
        return code

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for name, value in DEFAULTS.items():
            if name in cleaned and cleaned[name] in (None, ""):
                cleaned[name] = value
        if cleaned.get("model") not in TIERED:
            cleaned["first_tier_flat_at_zero"] = True
        return cleaned

    def _post_clean(self) -> None:
        """First what rating says, field by field; the table's constraints are the net below."""
        self.instance.validate_constraints = lambda exclude=None: None
        try:
            super()._post_clean()  # type: ignore[misc]
        finally:
            del self.instance.validate_constraints
        if set(self.errors) <= set(SILENT) and not self.has_bad_rows():
            self.check_definition()
        if not self.errors and not self.has_bad_rows():
            try:
                self.instance.validate_constraints(exclude={"plan_version"})
            except ValidationError as error:
                self._update_errors(error)  # type: ignore[attr-defined]

    def check_definition(self) -> None:
        found = self.problems()
        for name, texts in found.fields.items():
            for text in texts:
                if text not in self.errors.get(name, []):
                    self.add_error(name if name in self.fields else None, text)
        self.place(found)
        self.check_reach()

    def check_reach(self) -> None:
        """Of two prices that match the same usage the second would never take any."""
        mine = reach(self.instance.meter_id, self.typed_filters())
        if mine is None or self.errors:
            return
        for other in self.plan_version.prices.exclude(pk=self.instance.pk).prefetch_related("filters"):
            if reach(other.meter_id, {one.dimension: one.values for one in other.filters.all()}) == mine:
                self.add_error("meter", f"{other.name} takes the same usage; tell them apart by a filter.")

    def has_bad_rows(self) -> bool:
        return any(formset.total_error_count() for formset in self.formsets.values())

    def place(self, found: Found) -> None:
        """Problems of tiers and filters, at their rows."""
        tiers, filters = self.formsets.get("tiers"), self.formsets.get("filters")
        if tiers is not None:
            rows = [form for form, _ in tier_rows(tiers)]
            for index, by_field in found.tiers.items():
                for name, texts in by_field.items():
                    rows[index].add_error(name if name in rows[index].fields else None, texts)
            if found.of_tiers:
                tiers._non_form_errors.extend(found.of_tiers)  # type: ignore[attr-defined]
        if filters is not None:
            for form in filled_forms(filters):
                texts = found.filters.get(form.cleaned_data.get("dimension", ""), [])
                if texts:
                    form.add_error("dimension", texts)

    def problems(self) -> Found:
        return sorted_out(problems_of(self.new_price(), self.meters(), self.plan_version.currency))

    def meters(self) -> dict[str, Meter]:
        meter = self.instance.meter
        return {} if meter is None else {meter.code: meter}

    def new_price(self) -> NewPrice:
        """What the catalog's services take, from what is typed."""
        price: Price = self.instance
        tiers = self.formsets.get("tiers")
        document = definition_document(price, [tier for _, tier in tier_rows(tiers)] if tiers else [])
        return NewPrice(
            code=price.code,
            name=price.name,
            model=document.pop("model"),
            meter=price.meter.code if price.meter else "",
            billing_timing=price.billing_timing,
            unit_amount_property=price.unit_amount_property,
            filters=self.typed_filters(),
            more=document,
        )

    def typed_filters(self) -> dict[str, list[str]]:
        filters = self.formsets.get("filters")
        rows = filled_forms(filters) if filters else []
        return {
            form.cleaned_data["dimension"]: form.cleaned_data["values"]
            for form in rows
            if {"dimension", "values"} <= form.cleaned_data.keys()
        }


class RowForm(forms.ModelForm):
    """Rows are written anew as a whole, so what is unique among them is not asked of those that are stored."""

    def _get_validation_exclusions(self) -> set[str]:
        excluded: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return {*excluded, "price"}


class TierForm(RowForm):
    class Meta:
        model = PriceTier
        fields = ("up_to", "unit_amount", "rate", "flat_amount")

    def has_changed(self) -> bool:
        """An empty row in the middle is no row; a stored tier is one, even when everything in it was cleared."""
        return bool(self.instance.pk) or super().has_changed()


class FilterForm(RowForm):
    dimension = forms.CharField(
        max_length=127, widget=UnfoldAdminTextInputWidget(attrs={"list": "price-dimensions"})
    )
    values = LinesField(max_length=255, help_text="One a line; usage with any of them is taken.")

    class Meta:
        model = PriceFilter
        fields = ("dimension", "values")


class TierFormSet(BaseInlineFormSet):
    def clean(self) -> None:
        """Two equal bounds are refused by rating, at the row."""


class FilterFormSet(BaseInlineFormSet):
    def clean(self) -> None:
        seen: set[str] = set()
        for form in filled_forms(self):
            name = form.cleaned_data.get("dimension", "")
            if name in seen:
                form.add_error("dimension", "Another filter names this dimension; put all values into one.")
            seen.add(name)


def filled_forms(formset: BaseInlineFormSet) -> Iterator[Any]:
    """The rows that will be stored."""
    for form in formset.forms:
        cleaned = getattr(form, "cleaned_data", None)
        if cleaned and form.has_changed() and not cleaned.get("DELETE"):
            yield form


def tier_rows(formset: BaseInlineFormSet) -> list[tuple[Any, PriceTier]]:
    """Rows with their tiers, in the order of their bounds: the order in which rating counts them."""
    rows = [(form, form.instance) for form in filled_forms(formset)]
    return sorted(rows, key=lambda row: (row[1].up_to is None, row[1].up_to or 0))


def sorted_out(problems: list[Problem]) -> Found:
    """From pointers to places of the form."""
    found = Found()
    for problem in problems:
        text = FRIENDLY.get(problem.code, f"{problem.message.rstrip('.')}.")
        head, *rest = problem.pointer.strip("/").split("/")
        if head == "tiers" and rest:
            row = found.tiers.setdefault(int(rest[0]), {})
            row.setdefault(rest[1] if len(rest) > 1 else NON_FIELD_ERRORS, []).append(text)
        elif head == "tiers":
            found.of_tiers.append("Add at least one tier." if problem.code == "missing_field" else text)
        elif head == "filters" and rest:
            found.filters.setdefault(rest[0].replace("~1", "/").replace("~0", "~"), []).append(text)
        else:
            name = f"{head}_{rest[0]}" if rest else {"convert": "convert_divide_by"}.get(head, head)
            found.fields.setdefault(name, []).append(text)
    return found
