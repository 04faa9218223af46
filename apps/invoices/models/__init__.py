"""Invoices and what they are numbered and issued by."""

from apps.invoices.models.entity import CustomerTerms, InvoiceSeries, LegalEntity
from apps.invoices.models.invoice import Invoice
from apps.invoices.models.line import InvoiceLine
from apps.invoices.models.park_reason import ParkReason
from apps.invoices.models.settings import BillingSettings

__all__ = [
    "BillingSettings",
    "CustomerTerms",
    "Invoice",
    "InvoiceLine",
    "InvoiceSeries",
    "LegalEntity",
    "ParkReason",
]
