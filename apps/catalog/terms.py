"""The terms of a plan version: how often fees and usage are billed, how shares are counted, what is free at first."""

from collections.abc import Mapping
from typing import Any

from apps.catalog.models import PlanVersion
from apps.catalog.models.plan import MAX_INTERVAL, MAX_TRIAL_DAYS, TERMS
from apps.core.errors import Invalid

DAYS = {"day": 1, "week": 7}


def terms_of(version: PlanVersion) -> dict[str, Any]:
    return {name: getattr(version, name) for name in TERMS}


def check_terms(terms: Mapping[str, Any]) -> None:
    """Raises `Invalid` invalid_terms with a pointer, or nothing. Terms that are missing have their defaults."""
    assert terms.keys() <= set(TERMS)
    terms = terms_of(PlanVersion()) | dict(terms)
    choices = {
        "interval_unit": PlanVersion.Unit.values,
        "usage_interval_unit": ["", *PlanVersion.Unit.values],
        "proration": PlanVersion.Proration.values,
        "trial_covers": PlanVersion.TrialCovers.values,
    }
    for name, values in choices.items():
        if terms[name] not in values:
            refuse(name, f"choose one of {', '.join(value for value in values if value)}")
    if not 1 <= terms["interval_count"] <= MAX_INTERVAL:
        refuse("interval_count", f"give a number from 1 to {MAX_INTERVAL}")
    if not 0 <= terms["trial_days"] <= MAX_TRIAL_DAYS:
        refuse("trial_days", f"give a number from 0 to {MAX_TRIAL_DAYS}")
    unit, count = terms["usage_interval_unit"], terms["usage_interval_count"]
    if bool(unit) != (count is not None):
        refuse("usage_interval_count", "give a unit and a number, or neither")
    if count is None:
        return
    if not 1 <= count <= MAX_INTERVAL:
        refuse("usage_interval_count", f"give a number from 1 to {MAX_INTERVAL}")
    if not divides(terms["interval_unit"], terms["interval_count"], unit, count):
        refuse("usage_interval_count", "the interval of usage has to divide that of fees")


# What an add-on has from the subscription that it is attached to.
FOLLOWED = ("usage_interval_unit", "usage_interval_count", "proration", "trial_days", "trial_covers")


def check_add_on_terms(terms: Mapping[str, Any]) -> None:
    """An add-on says what its fees are for, a month or a year; the rest is the subscription's to say.

    Raises `Invalid` invalid_terms with a pointer, or nothing.
    """
    default = terms_of(PlanVersion())
    for name in FOLLOWED:
        if name in terms and terms[name] != default[name]:
            refuse(name, "leave it out; an add-on follows the subscription that it is attached to")


def divides(unit: str, count: int, part_unit: str, part_count: int) -> bool:
    """Whether each boundary of an interval is one of the part as well: months hold whole days, but not whole weeks."""
    if unit in DAYS and part_unit in DAYS:
        return (count * DAYS[unit]) % (part_count * DAYS[part_unit]) == 0
    if unit == part_unit:
        return count % part_count == 0
    return part_unit == "day" and part_count == 1


def refuse(name: str, what: str) -> None:
    raise Invalid("invalid_terms", f"{name}: {what}.", param=f"/{name}")
