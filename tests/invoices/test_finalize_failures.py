"""A draft that can't be finalized: it is set aside where people see it, and the others are issued."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DataError, IntegrityError, OperationalError
from django_tenants.utils import tenant_context
from psycopg.errors import QueryCanceled

from apps.audit.models import AuditEntry
from apps.invoices.models import Invoice, ParkReason
from apps.invoices.services import finalize_invoice
from apps.invoices.services.change_draft import refresh_draft, release_invoice
from apps.invoices.services.close_periods import close_due_periods
from apps.invoices.services.draft import Held, write_anew
from apps.invoices.services.finalize_invoice import finalize_due_invoices
from apps.invoices.waiting import next_finalization_at
from apps.rating import RatingError
from apps.tenants.models import Tenant
from tests.harness.clients import Staff
from tests.harness.factories import flat, make_customer, make_plan, make_subscription

FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
NOW = FEBRUARY + timedelta(days=2)


def canceled() -> Exception:
    error = OperationalError("canceling statement due to statement timeout")
    error.__cause__ = QueryCanceled()
    return error


def passing() -> Exception:
    return OperationalError("the connection is lost")


FAILURES: list[Callable[[], Exception]] = [
    lambda: RatingError.of("invalid_fraction", "for the test"),
    lambda: DataError("overflow"),
    lambda: IntegrityError("one line too many"),
    lambda: KeyError("price"),
    canceled,
]


@pytest.fixture
def drafts(in_acme: Tenant) -> tuple[Invoice, Invoice]:
    version = make_plan("base", [flat("10")])
    first, second = (make_subscription(make_customer(name), version) for name in ("first", "second"))
    close_due_periods(FEBRUARY)
    return Invoice.objects.get(subscription=first), Invoice.objects.get(subscription=second)


@pytest.fixture
def failing(
    drafts: tuple[Invoice, Invoice], monkeypatch: pytest.MonkeyPatch
) -> Callable[[Exception | None], None]:
    """Whoever finalizes the first draft gets the error, until it is None."""

    def fail(error: Exception | None) -> None:
        def written(held: Held, now: datetime) -> list[ParkReason]:
            if error is not None and held.invoice.pk == drafts[0].pk:
                raise error
            return write_anew(held, now)

        monkeypatch.setattr(finalize_invoice, "write_anew", written)

    return fail


@pytest.mark.parametrize("failure", FAILURES)
def test_the_others_go_on_and_it_is_parked_with_the_reason(
    drafts: tuple[Invoice, Invoice],
    failing: Callable[[Exception | None], None],
    failure: Callable[[], Exception],
) -> None:
    failing(failure())
    assert finalize_due_invoices(NOW) == 1
    broken, other = (Invoice.objects.get(pk=one.pk) for one in drafts)
    assert (broken.status, broken.parked_at, other.status) == ("draft", NOW, "open")
    reason = broken.park_reasons.get()
    assert reason.brake == "failed"
    assert reason.words.startswith("It can't be finalized: ")
    assert AuditEntry.objects.get(action="invoice.parked").target_id == broken.public_id
    # It waits for people, and neither holds up a sandbox's clock nor is tried every minute.
    assert next_finalization_at() is None
    assert finalize_due_invoices(NOW) == 0
    assert broken.park_reasons.get().measure == 1


def test_released_it_is_tried_again_and_parked_again(
    drafts: tuple[Invoice, Invoice], failing: Callable[[Exception | None], None]
) -> None:
    failing(IntegrityError("for the test"))
    finalize_due_invoices(NOW)
    for tries in (2, 3):
        release_invoice(invoice=drafts[0], reason="try again", total=drafts[0].total, now=NOW)
        assert finalize_due_invoices(NOW) == 0
        reason = ParkReason.objects.get()
        assert (reason.measure, reason.released_at) == (tries, None)
    release_invoice(invoice=drafts[0], reason="it is mended", total=drafts[0].total, now=NOW)
    failing(None)
    assert finalize_due_invoices(NOW) == 1
    assert Invoice.objects.get(pk=drafts[0].pk).number == "ACME-2026-000002"


def test_refreshed_it_goes_on_by_itself(
    drafts: tuple[Invoice, Invoice], failing: Callable[[Exception | None], None]
) -> None:
    failing(IntegrityError("for the test"))
    finalize_due_invoices(NOW)
    failing(None)
    assert not refresh_draft(invoice=drafts[0], now=NOW).is_parked
    assert finalize_due_invoices(NOW) == 1


def test_staff_who_finalize_several_learn_which_one_failed(
    drafts: tuple[Invoice, Invoice],
    failing: Callable[[Exception | None], None],
    acme: Tenant,
    olga: Staff,
) -> None:
    failing(RatingError.of("invalid_fraction", "for the test"))
    chosen = {"action": "finalize_selected", "_selected_action": [one.pk for one in drafts]}
    page = olga.post("/admin/invoices/invoice/", chosen | {"confirmed": "1"}, follow=True).content.decode()
    assert "1 of 2 drafts are finalized." in page
    assert "It can&#x27;t be finalized, and is parked: " in page
    with tenant_context(acme):
        states = [(one.status, one.parked_at is not None) for one in Invoice.objects.order_by("pk")]
        assert sorted(states) == [("draft", True), ("open", False)]


def test_a_database_that_is_away_parks_nobody(
    drafts: tuple[Invoice, Invoice], failing: Callable[[Exception | None], None]
) -> None:
    failing(passing())
    with pytest.raises(OperationalError):
        finalize_due_invoices(NOW)
    assert not ParkReason.objects.exists()
