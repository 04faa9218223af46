"""Charge a customer once for something that no plan asks for, at the end of the period or at once; and withdraw it."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction

from apps.audit.services.record import record
from apps.core.errors import Invalid, Refused
from apps.invoices.models import Invoice, InvoiceLine, OneOffCharge
from apps.invoices.selectors import billing_settings
from apps.invoices.services.draft import Held, given_reason, write_anew
from apps.invoices.services.one_off_lines import rated
from apps.rating import RatingError
from apps.subscriptions.models import Subscription
from apps.subscriptions.services.rewrite import locked
from apps.subscriptions.timeline import MICROSECOND

MAX_DESCRIPTION = 250
# Far above any bill; what is larger is a slip of the keyboard.
MAX_AMOUNT = Decimal(10) ** 15


@transaction.atomic
def add_charge(
    *,
    subscription: Subscription,
    description: str,
    unit_amount: Decimal,
    reason: str,
    now: datetime,
    quantity: Decimal = Decimal(1),
    charged_at: datetime | None = None,
) -> OneOffCharge:
    """It is on the invoice of the cycle that contains `charged_at`, now unless said otherwise. Below zero, a credit.

    Raises `Invalid` reason_missing, reason_too_long, description_missing, description_too_long, invalid_quantity,
    invalid_amount; `Refused` already_billed, no_further_invoice. The subscription's row is locked, so that its cycle
    is not closed meanwhile.
    """
    why = given_reason(reason)
    subscription = locked(subscription)
    at = charged_at or now
    refuse_time(subscription, at)
    charge = new_charge(subscription, description, quantity, unit_amount, at)
    charge.save()
    note("subscription.charged", charge, why)
    return charge


@transaction.atomic
def charge_at_once(
    *,
    subscription: Subscription,
    description: str,
    unit_amount: Decimal,
    reason: str,
    now: datetime,
    quantity: Decimal = Decimal(1),
) -> OneOffCharge:
    """It is drafted on an invoice of its own, and on no other; also when the subscription has ended.

    The draft waits for its grace period like any other, or for whoever finalizes it. Raises what `add_charge`
    raises, and `Invalid` invalid_amount for a credit, which is no invoice.
    """
    why = given_reason(reason)
    subscription = locked(subscription)
    charge = new_charge(subscription, description, quantity, unit_amount, next_free(subscription, now))
    if charge.amount < 0:
        raise Invalid(
            "invalid_amount",
            "A credit joins the next invoice; it can't be an invoice of its own.",
            param="/unit_amount",
        )
    charge.is_billed_at_once = True
    charge.save()
    draft = Invoice.objects.create(
        kind=Invoice.Kind.ONE_OFF,
        customer=subscription.customer,
        subscription=subscription,
        currency=charge.currency,
        period_start=charge.charged_at,
        period_end=charge.charged_at + MICROSECOND,
        subtotal=0,
        total=0,
        usage_cutoff_at=now,
        finalize_due_at=now + timedelta(hours=billing_settings().draft_grace_hours),
        created_at=now,
    )
    write_anew(Held(draft, subscription), now)
    note("subscription.charged_at_once", charge, why)
    return charge


@transaction.atomic
def withdraw_charge(*, charge: OneOffCharge, reason: str, now: datetime) -> OneOffCharge:
    """Take back what is still to come. Raises `Refused` already_withdrawn, already_invoiced."""
    why = given_reason(reason)
    locked(charge.subscription)
    charge = OneOffCharge.objects.select_for_update().get(pk=charge.pk)
    if charge.withdrawn_at is not None:
        raise Refused("already_withdrawn", f"“{charge}” was withdrawn already.")
    lines = InvoiceLine.objects.filter(one_off=charge).exclude(invoice__status=Invoice.Status.VOID)
    line = lines.select_related("invoice__customer").first()
    if line is not None:
        raise Refused(
            "already_invoiced",
            f"“{charge}” is on an invoice already: {line.invoice}. Void that invoice first, or give a credit.",
        )
    charge.withdrawn_at = now
    charge.save(update_fields=["withdrawn_at"])
    note("subscription.charge_withdrawn", charge, why)
    return charge


def make_charge(
    *, subscription: Subscription, now: datetime, at_once: bool = False, **given: Any
) -> OneOffCharge:
    """`add_charge`, or `charge_at_once`. Raises `Invalid` field_not_allowed for a time beside at_once."""
    if not at_once:
        return add_charge(subscription=subscription, now=now, **given)
    if given.pop("charged_at", None) is not None:
        raise Invalid(
            "field_not_allowed",
            "What is billed at once is charged now; leave the time out.",
            param="/charged_at",
        )
    return charge_at_once(subscription=subscription, now=now, **given)


# As verbs of a subscription, which is how a change is previewed.


def charge(*, subscription: Subscription, now: datetime, **given: Any) -> Subscription:
    return make_charge(subscription=subscription, now=now, **given).subscription


def withdraw(*, subscription: Subscription, charge: OneOffCharge, reason: str, now: datetime) -> Subscription:
    assert charge.subscription_id == subscription.pk
    return withdraw_charge(charge=charge, reason=reason, now=now).subscription


def refuse_waiting(subscription: Subscription) -> None:
    """For a subscription that ends before it began, and so gets no invoice at all. Raises `Refused` charges_waiting."""
    waiting = subscription.one_off_charges.filter(is_billed_at_once=False, withdrawn_at__isnull=True).first()
    if waiting is not None:
        raise Refused(
            "charges_waiting",
            f"It never began, so it gets no invoice that “{waiting}” could be on; withdraw the charge first.",
        )


def refuse_time(subscription: Subscription, at: datetime) -> None:
    once = "bill it at once, with an invoice of its own."
    if subscription.status != Subscription.Status.ACTIVE:
        raise Refused("no_further_invoice", f"{subscription} has ended and gets no further invoice; {once}")
    if at < subscription.invoiced_until:
        raise Refused(
            "already_billed",
            f"It is billed until {subscription.invoiced_until.isoformat()}; choose a later time.",
            param="/charged_at",
        )
    if subscription.ends_at is not None and at >= subscription.ends_at:
        raise Refused(
            "no_further_invoice",
            f"The subscription ends at {subscription.ends_at.isoformat()}; choose an earlier time, or {once}",
            param="/charged_at",
        )


def new_charge(
    subscription: Subscription, description: str, quantity: Decimal, unit_amount: Decimal, at: datetime
) -> OneOffCharge:
    text = " ".join(description.split())
    if not text:
        raise Invalid(
            "description_missing",
            "Say what it is for; the customer reads it on the invoice.",
            param="/description",
        )
    if len(text) > MAX_DESCRIPTION:
        raise Invalid("description_too_long", f"At most {MAX_DESCRIPTION} characters.", param="/description")
    if quantity <= 0:
        raise Invalid("invalid_quantity", "The quantity is above zero.", param="/quantity")
    currency = subscription.plan_version.currency
    try:
        amount = rated(quantity, unit_amount, currency).amount
    except RatingError as error:
        raise Invalid("invalid_amount", f"{error.message}.", param="/unit_amount") from error
    if not amount or abs(amount) >= MAX_AMOUNT:
        raise Invalid(
            "invalid_amount",
            "It comes to nothing after rounding."
            if not amount
            else "It comes to more than an invoice can hold.",
            param="/unit_amount",
        )
    return OneOffCharge(
        subscription=subscription,
        description=text,
        quantity=quantity,
        unit_amount=unit_amount,
        currency=currency,
        amount=amount,
        charged_at=at,
    )


def next_free(subscription: Subscription, now: datetime) -> datetime:
    """`now`, or a moment after the latest such charge: the period of an invoice of its own begins there."""
    latest = subscription.one_off_charges.filter(is_billed_at_once=True).order_by("-charged_at").first()
    return now if latest is None else max(now, latest.charged_at + MICROSECOND)


def note(action: str, charge: OneOffCharge, why: str) -> None:
    record(
        action=action,
        target=charge.subscription,
        reason=why,
        changes={
            "charge": charge.public_id,
            "description": charge.description,
            "amount": str(charge.amount),
            "currency": charge.currency,
            "charged_at": charge.charged_at.isoformat(),
        },
    )
