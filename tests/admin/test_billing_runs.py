"""Runs and the parked queue in the back office: watched, released with a reason, billed at once."""

import pytest

from apps.audit.models import AuditEntry
from apps.core import clock
from apps.invoices.due import parked_subscriptions
from apps.invoices.models import BillingRun, Invoice
from apps.invoices.services.close_periods import close_due_periods
from apps.subscriptions.models import Subscription
from tests.admin.business import Business
from tests.admin.test_pages import page
from tests.admin.test_query_counts import queries_of  # noqa: F401
from tests.harness.clients import Staff
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import flat, make_customer, make_plan, make_subscription
from tests.invoices.refusing import MESSAGE, refusing

WHY = {"reason": "Mended", "confirmed": "yes"}


def park(business: Business, monkeypatch: pytest.MonkeyPatch, *names: str) -> list[Subscription]:
    """New customers whose last month can't be billed."""
    version = make_plan(f"base-{names[0]}", [flat("31")])
    parked = []
    for name in names:
        one = make_subscription(make_customer(name), version, started_at=business.draft.period_start)
        with refusing(one, monkeypatch):
            close_due_periods(clock.now())
        parked.append(one)
    return parked


def test_a_parked_subscription_is_listed_with_its_reason(
    olga: Staff, business: Business, monkeypatch: pytest.MonkeyPatch
) -> None:
    [subscription] = park(business, monkeypatch, "late")
    content = olga.get(
        page("invoices.parkedsubscription", "changelist"), {"state": "parked"}
    ).content.decode()
    for words in ("Late", "Base-Late v1", MESSAGE, "0 min", "Release all"):
        assert words in content
    assert "Parked subscriptions" in olga.get("/admin/").content.decode()
    content = olga.get(page("subscriptions.subscription", "change", subscription.pk)).content.decode()
    assert MESSAGE in content
    run = BillingRun.objects.order_by("id").last()
    assert run is not None
    content = olga.get(page("invoices.billingrun", "change", run.pk)).content.decode()
    for words in (MESSAGE, "Late", "Release", "Finished"):
        assert words in content


@pytest.mark.parametrize("action", ["release", "retry"])
def test_it_is_released_with_a_reason(
    olga: Staff, business: Business, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    [subscription] = park(business, monkeypatch, "late")
    path = page("invoices.parkedsubscription", action, parked_subscriptions().get().pk)
    olga.get("/admin/")  # signs in
    with nothing_changes_in("acme"):
        assert MESSAGE in olga.get(path).content.decode()
        assert olga.post(path, {"confirmed": "yes"}).status_code == 200
    assert olga.post(path, WHY).status_code == 302
    assert not parked_subscriptions().exists()
    entry = AuditEntry.objects.get(action="subscription.released")
    assert (entry.actor, entry.reason) == (olga.email, "Mended")
    assert subscription.invoices.count() == (1 if action == "retry" else 0)
    if action == "retry":
        assert BillingRun.objects.get(subscription=subscription).started_by == olga.email


def test_all_are_released_at_once(olga: Staff, business: Business, monkeypatch: pytest.MonkeyPatch) -> None:
    park(business, monkeypatch, "a", "b", "c")
    path = page("invoices.parkedsubscription", "release_all")
    assert "Release 3 subscriptions?" in olga.get(path).content.decode()
    assert olga.post(path, WHY).status_code == 302
    assert not parked_subscriptions().exists()
    assert AuditEntry.objects.filter(action="subscription.released", reason="Mended").count() == 3


def test_the_selected_are_released(olga: Staff, business: Business, monkeypatch: pytest.MonkeyPatch) -> None:
    park(business, monkeypatch, "a", "b")
    first = parked_subscriptions().order_by("id").first()
    assert first is not None
    marked = {"action": "release_selected", "_selected_action": [first.pk]}
    path = page("invoices.parkedsubscription", "changelist")
    assert "Release 1 subscription?" in olga.post(path, marked).content.decode()
    assert olga.post(path, marked | WHY).status_code == 302
    assert parked_subscriptions().count() == 1


def test_a_period_that_is_over_is_billed_now(olga: Staff, reader: Staff, business: Business) -> None:
    version = make_plan("base", [flat("31")])
    one = make_subscription(make_customer("late"), version, started_at=business.draft.period_start)
    path = f"/admin/invoices/billingrun/close/{one.pk}/"
    assert path in olga.get(page("subscriptions.subscription", "change", one.pk)).content.decode()
    assert path not in reader.get(page("subscriptions.subscription", "change", one.pk)).content.decode()
    assert reader.post(path, WHY).status_code == 403
    assert "$31.00" not in olga.get(page("invoices.billingrun", "changelist")).content.decode()
    assert olga.post(path, WHY).status_code == 302
    assert [invoice.total_text for invoice in Invoice.objects.filter(subscription=one)] == ["31.00"]
    content = olga.get(page("invoices.billingrun", "changelist")).content.decode()
    assert "$31.00" in content
    assert olga.email in content
    assert AuditEntry.objects.get(action="subscription.closed_now").reason == "Mended"


def test_who_may_only_read_releases_nothing(
    reader: Staff, business: Business, monkeypatch: pytest.MonkeyPatch
) -> None:
    park(business, monkeypatch, "late")
    reader.get("/admin/")  # signs in
    pk = parked_subscriptions().get().pk
    with nothing_changes_in("acme"):
        for path in (
            page("invoices.parkedsubscription", "release", pk),
            page("invoices.parkedsubscription", "retry", pk),
            page("invoices.parkedsubscription", "release_all"),
        ):
            assert reader.post(path, WHY).status_code == 403


def test_pages_cost_the_same_however_many_are_parked(
    olga: Staff,
    business: Business,
    monkeypatch: pytest.MonkeyPatch,
    queries_of,  # noqa: F811
) -> None:
    park(business, monkeypatch, "a")
    run = BillingRun.objects.order_by("id").last()
    assert run is not None
    paths = [
        page("invoices.parkedsubscription", "changelist"),
        page("invoices.billingrun", "changelist"),
        page("invoices.billingrun", "change", run.pk),
    ]
    before = [queries_of(path) for path in paths]
    park(business, monkeypatch, "b")
    parked_subscriptions().update(run=run)
    assert [queries_of(path) for path in paths] == before
    assert max(before) <= 18
