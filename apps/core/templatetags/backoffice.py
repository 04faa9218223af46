"""Filters for the back office's templates: the words of apps.core.admin.display."""

from datetime import date, datetime
from decimal import Decimal

from django import template
from django.utils.safestring import SafeString

from apps.core.admin import display
from apps.core.money import money_display

register = template.Library()


@register.filter
def instant(value: datetime | None) -> str:
    return display.instant_text(value)


@register.filter
def day(value: date | None) -> str:
    return display.day_text(value)


@register.filter
def quantity(value: Decimal | int | None) -> str:
    return display.quantity_text(value)


@register.filter
def money(value: Decimal, currency: str) -> str:
    return money_display(value, currency)


@register.filter
def status_badge(text: str) -> SafeString:
    return display.badge(text)
