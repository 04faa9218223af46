"""Invoices that settle a yearly fee, void and reissued while later months of the year are billed."""

from decimal import Decimal

import pytest

from apps.core.errors import Refused
from apps.invoices.models import Invoice
from apps.invoices.services.close_periods import close_due_periods
from apps.invoices.services.finalize_invoice import finalize_invoice
from apps.invoices.services.void_invoice import reissue_invoice, void_invoice
from apps.subscriptions.services.change_subscription import change_subscription
from apps.tenants.models import Tenant
from tests.scenarios.lifecycle.words import at, base, run, sell, start

YEARLY = {"interval_count": 12, "usage_interval_unit": "month", "usage_interval_count": 1}


@pytest.fixture
def november(in_acme: Tenant) -> Invoice:
    """1200 a year in advance, 600 from 15 November on; 318 days of 365 are over.

    1200 * 318 / 365 = 1045.48, of which 1200.00 are billed; 600 * 47 / 365 = 77.26. Together -77.26, on November.
    """
    subscription = start(sell("a", base("1200", "advance"), **YEARLY), at("2026-01-01"))
    run(at("2026-11-01"))
    cheaper = sell("b", base("600", "advance"), **YEARLY)
    change_subscription(subscription=subscription, plan_version=cheaper, when="now", now=at("2026-11-15"))
    run(at("2026-12-01"))
    return month(11)


def month(number: int) -> Invoice:
    """The latest invoice of it that is not void."""
    found = Invoice.objects.filter(kind="cycle", period_start=at(f"2026-{number}-01")).exclude(status="void")
    return found.latest("id")


def billed() -> Decimal:
    return sum((one.total for one in Invoice.objects.exclude(status="void")), Decimal(0))


def test_a_later_month_that_settled_meanwhile_has_to_be_void_first(november: Invoice) -> None:
    """The year costs 1045.48 + 77.26 = 1122.74, and 600.00 of the next one are ahead on December: 1722.74.

    With November void, December gives back its 77.26; with both the total would be 1645.48.
    """
    assert november.total == Decimal("-77.26")
    void_invoice(invoice=november, reason="Wrong.", now=at("2026-12-20"))
    run(at("2027-01-01"))
    december = month(12)
    assert (december.total, billed()) == (Decimal("522.74"), Decimal("1722.74"))  # -77.26 + 600
    with pytest.raises(Refused) as refused:
        reissue_invoice(invoice=november, reason="Wrong.", now=at("2027-01-05"))
    assert refused.value.code == "fees_billed_since"
    assert [one["message"] for one in refused.value.errors] == [december.number]
    void_invoice(invoice=december, reason="Wrong.", now=at("2027-01-06"))
    for invoice in (november, december):
        draft = reissue_invoice(invoice=invoice, reason="Wrong.", now=at("2027-01-07"))
        finalize_invoice(invoice=draft, now=at("2027-01-09"))
    assert (month(11).total, month(12).total) == (Decimal("-77.26"), Decimal("600.00"))
    assert billed() == Decimal("1722.74")


def test_a_later_month_that_knew_it_is_not_in_the_way(november: Invoice) -> None:
    """December was issued on the strength of November's -77.26, and the reissue says the same."""
    run(at("2027-01-01"))
    assert month(12).total == 600
    void_invoice(invoice=november, reason="Wrong.", now=at("2027-01-20"))
    finalize_invoice(
        invoice=reissue_invoice(invoice=november, reason="Wrong.", now=at("2027-01-20")), now=at("2027-01-22")
    )
    assert month(11).total == Decimal("-77.26")
    assert billed() == Decimal("1722.74")


def test_a_later_month_that_is_still_a_draft_is_computed_anew(november: Invoice) -> None:
    """As a draft December gives back 77.26 and asks for 600.00; when it is finalized November has given them back."""
    void_invoice(invoice=november, reason="Wrong.", now=at("2026-12-20"))
    close_due_periods(at("2027-01-01"))
    assert month(12).total == Decimal("522.74")
    draft = reissue_invoice(invoice=november, reason="Wrong.", now=at("2027-01-01 12:00"))
    for invoice in (draft, month(12)):
        finalize_invoice(invoice=invoice, now=at("2027-01-02 12:00"))
    assert (month(11).total, month(12).total) == (Decimal("-77.26"), Decimal("600.00"))
    assert billed() == Decimal("1722.74")


def test_an_opening_and_the_period_that_a_new_schedule_cut_are_reissued(in_acme: Tenant) -> None:
    """A year of 365 from 29 January, monthly from the 16th of February: 18 days are used, 347.00 come back.

    The opening names the month that it was to be then, until 28 February. Issued again, it is in nobody's way.
    """
    subscription = start(
        sell("y", base("365", "advance"), **YEARLY), at("2026-01-29"), billing_anchor="anniversary"
    )
    run(at("2026-01-29"))
    monthly = sell("m", base("90", "advance"))
    change_subscription(subscription=subscription, plan_version=monthly, when="now", now=at("2026-02-16"))
    run(at("2026-02-16"))
    opening, cycle = Invoice.objects.order_by("id")
    assert (opening.total, cycle.total) == (365, -347 + 90)
    for one in (cycle, opening):
        void_invoice(invoice=one, reason="a wrong address", now=at("2026-02-18"))
    # It knows of the change by now, and asks for the 18 days alone.
    for one, total in ((opening, 18), (cycle, 90)):
        draft = reissue_invoice(invoice=one, reason="the right one", now=at("2026-02-19"))
        assert finalize_invoice(invoice=draft, now=at("2026-02-19")).total == total
    assert billed() == 18 + 90
