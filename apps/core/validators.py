"""What several apps accept in their fields."""

from functools import cache
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator

from apps.rating import CurrencyError, minor_units

# Codes of meters and plans appear in URLs, on invoices and in clients' code.
code_validator = RegexValidator(
    r"\A[a-z0-9][a-z0-9._-]{0,62}\Z",
    "Use 1 to 63 lower-case letters, digits, dots, hyphens and underscores, starting with a letter or digit.",
)


@cache
def time_zones() -> frozenset[str]:
    """Names that mean the same on every machine."""
    return frozenset(available_timezones() - {"localtime", "posixrules", "Factory"})


def validate_time_zone(value: str) -> None:
    if value not in time_zones():
        raise ValidationError(f"{value[:64]!r} is no IANA time zone; write it like Europe/Berlin.")


def validate_currency(value: str) -> None:
    """A currency in which amounts can be rounded: gold (XAU) and test codes (XXX) have no minor unit."""
    try:
        minor_units(value)
    except CurrencyError as error:
        raise ValidationError(f"{value!r} is no ISO 4217 currency code; write it like USD.") from error


def time_zone_choices() -> list[tuple[str, str]]:
    return [(name, name) for name in sorted(time_zones())]
