"""Invoices and what they are numbered and issued by."""

from apps.invoices.models.billing_run import BillingRun, BillingRunAmount
from apps.invoices.models.entity import CustomerTerms, InvoiceSeries, LegalEntity
from apps.invoices.models.invoice import Invoice
from apps.invoices.models.line import InvoiceLine
from apps.invoices.models.one_off import OneOffCharge
from apps.invoices.models.park_reason import ParkReason
from apps.invoices.models.parked_subscription import ParkedSubscription
from apps.invoices.models.settings import BillingSettings
from apps.invoices.models.team_share import TeamShare

__all__ = [
    "BillingRun",
    "BillingRunAmount",
    "BillingSettings",
    "CustomerTerms",
    "Invoice",
    "InvoiceLine",
    "InvoiceSeries",
    "LegalEntity",
    "OneOffCharge",
    "ParkReason",
    "ParkedSubscription",
    "TeamShare",
]
