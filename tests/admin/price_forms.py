"""What a browser sends for the page of a price."""

from collections.abc import Mapping, Sequence
from typing import Any

from apps.catalog.models import Meter, PlanVersion, Price
from tests.admin.test_pages import page


def price_form(
    *,
    tiers: Sequence[Mapping[str, str]] = (),
    filters: Mapping[str, Sequence[str]] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """Fields that belong to the model; a browser leaves out the others. `meter` is a code."""
    wanted: dict[str, Any] = {
        "name": "Usage",
        "code": "usage",
        "model": "per_unit",
        "position": "0",
        **fields,
    }
    if wanted.get("meter"):
        wanted["meter"] = str(Meter.objects.get(code=wanted["meter"]).pk)
    rows = [{"dimension": name, "values": "\r\n".join(values)} for name, values in (filters or {}).items()]
    return {**wanted, **rows_of("tiers", tiers), **rows_of("filters", rows)}


def rows_of(prefix: str, rows: Sequence[Mapping[str, str]]) -> dict[str, str]:
    form = {f"{prefix}-TOTAL_FORMS": str(len(rows)), f"{prefix}-INITIAL_FORMS": "0"}
    for index, row in enumerate(rows):
        form |= {f"{prefix}-{index}-{name}": value for name, value in row.items()}
    return form


def stored_form(price: Price, **changes: Any) -> dict[str, Any]:
    """The form of a stored price as its page shows it, with changes."""
    form = price_form(
        tiers=[
            {
                name: "" if (value := getattr(tier, name)) is None else f"{value:f}"
                for name in ("up_to", "unit_amount", "flat_amount", "rate")
            }
            for tier in price.tiers.all()
        ],
        name=price.name,
        code=price.code,
        model=price.model,
        meter=price.meter.code if price.meter else "",
        position=str(price.position),
    )
    for index, tier in enumerate(price.tiers.all()):
        form[f"tiers-{index}-id"] = str(tier.pk)
        form[f"tiers-{index}-price"] = str(price.pk)
    form["tiers-INITIAL_FORMS"] = form["tiers-TOTAL_FORMS"]
    return form | changes


def add_url(version: PlanVersion) -> str:
    return f"{page('catalog.price', 'add')}?plan_version={version.pk}"


def change_url(price: Price) -> str:
    return page("catalog.price", "change", price.pk)


def errors_in(response: Any) -> dict[str, list[str]]:
    """By field, those of tiers and filters as tiers-0-up_to."""
    form = response.context["adminform"].form
    found = {name: list(texts) for name, texts in form.errors.items()}
    for inline in response.context["inline_admin_formsets"]:
        formset = inline.formset
        if formset.non_form_errors():
            found[formset.prefix] = list(formset.non_form_errors())
        for row in formset.forms:
            found |= {f"{row.prefix}-{name}": list(texts) for name, texts in row.errors.items()}
    return found
