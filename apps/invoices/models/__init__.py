"""Invoices and what they are numbered and issued by."""

from apps.invoices.models.invoice import Invoice
from apps.invoices.models.line import InvoiceLine
from apps.invoices.models.settings import BillingSettings, InvoiceSeries

__all__ = ["BillingSettings", "Invoice", "InvoiceLine", "InvoiceSeries"]
