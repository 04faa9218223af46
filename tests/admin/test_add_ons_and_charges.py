"""Add-ons and one-off charges in the back office: asked, previewed with the sum, confirmed once, and shown."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from apps.audit.models import AuditEntry
from apps.catalog.models import Plan, PlanVersion
from apps.core import clock
from apps.invoices.models import Invoice, InvoiceLine, OneOffCharge
from apps.invoices.services.one_off_charges import add_charge
from apps.subscriptions.models import SubscriptionAddOn
from apps.subscriptions.services.add_ons import attach_add_on
from tests.admin.business import Business
from tests.admin.test_pages import page
from tests.harness.clients import Staff
from tests.harness.evidence import nothing_changes_in
from tests.scenarios.lifecycle.words import base, sell

SUBSCRIPTION, CHARGE = "subscriptions.subscription", "invoices.oneoffcharge"
WORKSHOP = {
    "description": "Workshop",
    "quantity": "2",
    "unit_amount": "125",
    "billed": "period",
    "reason": "Ordered",
}


@pytest.fixture
def care(business: Business) -> PlanVersion:
    """12.00 a seat, due when a period is over."""
    return sell("care", base("12", is_per_seat=True, code="care"), kind=Plan.Kind.ADD_ON)


def at_cursor(business: Business) -> dict[str, Any]:
    business.subscription.refresh_from_db()
    return {"when": "date", "at": f"{business.subscription.invoiced_until:%Y-%m-%dT%H:%M}"}


def made(olga: Staff, path: str, given: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Look, and confirm: what was shown, and the seal of it."""
    olga.get("/admin/")  # signs in
    with nothing_changes_in("acme"):
        assert olga.get(path).status_code == 200
        seen = olga.post(path, given)
        assert seen.context["preview"], seen.context["form"].errors
    seal = seen.context["seal"]
    done = olga.post(path, given | {"seal": seal})
    assert done.status_code == 302, done.context["form"].errors
    return seen.context["preview"], seal


def told(olga: Staff, business: Business) -> str:
    return olga.get(page(SUBSCRIPTION, "change", business.subscription.pk)).content.decode()


def test_an_add_on_is_attached_changed_and_detached(
    olga: Staff, business: Business, care: PlanVersion
) -> None:
    pk = business.subscription.pk
    given = {"plan": care.plan_id, "quantity": 2, **at_cursor(business), "reason": "They asked"}
    seen, _ = made(olga, page(SUBSCRIPTION, "attach_add_on", pk), given)
    assert seen["difference"] == "+$24.00"
    assert "Care v1" in told(olga, business)
    more = {"plan": care.plan_id, "quantity": 3, **at_cursor(business), "reason": "More"}
    seen, _ = made(olga, page(SUBSCRIPTION, "change_add_on", pk), more)
    assert seen["difference"] == "+$12.00"
    gone = {"plan": care.plan_id, **at_cursor(business), "reason": "No more"}
    seen, _ = made(olga, page(SUBSCRIPTION, "detach_add_on", pk), gone)
    assert seen["difference"] == "-$36.00"
    assert not SubscriptionAddOn.objects.exists()
    actions = AuditEntry.objects.filter(action__startswith="subscription.add_on").order_by("id")
    assert list(actions.values_list("reason", flat=True)) == ["They asked", "More", "No more"]


def test_only_plans_are_offered_as_plans(olga: Staff, business: Business, care: PlanVersion) -> None:
    olga.get("/admin/")
    terms = olga.get(page(SUBSCRIPTION, "change_terms", business.subscription.pk)).context["form"]
    attach = olga.get(page(SUBSCRIPTION, "attach_add_on", business.subscription.pk)).context["form"]
    new = olga.get(page(SUBSCRIPTION, "add")).context["adminform"].form
    for form in (terms, new):
        assert care.plan not in form.fields["plan"].queryset
    assert care not in terms.fields["version"].queryset
    assert care not in new.fields["plan_version"].queryset
    assert list(attach.fields["plan"].queryset) == [care.plan]
    assert list(attach.fields["version"].queryset) == [care]


def test_a_refusal_stands_at_its_field(olga: Staff, business: Business, care: PlanVersion) -> None:
    attach_add_on(subscription=business.subscription, plan_version=care, when="period_end", now=clock.now())
    given = {"plan": care.plan_id, "quantity": 1, "when": "now", "reason": "Twice"}
    response = olga.post(page(SUBSCRIPTION, "attach_add_on", business.subscription.pk), given)
    assert list(response.context["form"].errors) == ["plan"]


def test_a_charge_is_made_once_for_a_look(olga: Staff, business: Business) -> None:
    path = page(CHARGE, "charge", business.subscription.pk)
    seen, seal = made(olga, path, WORKSHOP)
    assert seen["difference"] == "+$250.00"
    with nothing_changes_in("acme"):
        again = olga.post(path, WORKSHOP | {"seal": seal})
    assert again.context["note"]
    charge = OneOffCharge.objects.get(description="Workshop")
    assert charge.amount == 250
    entry = AuditEntry.objects.get(action="subscription.charged", changes__charge=charge.public_id)
    assert (entry.actor, entry.reason) == (olga.email, "Ordered")
    text = told(olga, business)
    assert "Workshop" in text
    assert "To come" in text


def test_a_charge_of_a_later_period_is_confirmed_with_its_sum(olga: Staff, business: Business) -> None:
    """The invoices that follow are the same, so they don't tell it."""
    olga.get("/admin/")
    later = clock.now() + timedelta(days=200)
    given = WORKSHOP | {"charged_at": f"{later:%Y-%m-%dT%H:%M}"}
    seen = olga.post(page(CHARGE, "charge", business.subscription.pk), given)
    assert seen.context["preview"]["is_same"]
    assert "$250.00" in seen.content.decode()


def test_a_charge_is_withdrawn(olga: Staff, business: Business) -> None:
    charge = add_charge(
        subscription=business.subscription, description="Workshop", unit_amount=Decimal(250), reason="x",
        now=clock.now(),
    )  # fmt: skip
    seen, _ = made(olga, page(CHARGE, "withdraw", charge.pk), {"reason": "A slip"})
    assert seen["difference"] == "-$250.00"
    charge.refresh_from_db()
    assert charge.withdrawn_at is not None
    olga.get(page(CHARGE, "change", charge.pk))
    assert olga.get(page(CHARGE, "withdraw", charge.pk)).status_code == 302


def test_a_charge_at_once_and_its_invoice(olga: Staff, business: Business) -> None:
    seen, _ = made(olga, page(CHARGE, "charge", business.subscription.pk), WORKSHOP | {"billed": "at_once"})
    assert seen["difference"] == "+$250.00"
    invoice = Invoice.objects.get(kind="one_off")
    text = olga.get(page("invoices.invoice", "change", invoice.pk)).content.decode()
    assert "Workshop" in text
    assert "USD 125.00" in text
    line = InvoiceLine.objects.get(invoice=invoice)
    assert olga.get(page("invoices.invoice", "line_events", invoice.pk, line.position)).status_code == 404
    assert olga.get(page(CHARGE, "changelist")).status_code == 200


def test_a_credit_at_once_is_refused_at_its_field(olga: Staff, business: Business) -> None:
    given = WORKSHOP | {"billed": "at_once", "unit_amount": "-5"}
    response = olga.post(page(CHARGE, "charge", business.subscription.pk), given)
    assert list(response.context["form"].errors) == ["unit_amount"]


def test_support_sees_charges_and_makes_none(sam: Staff, business: Business) -> None:
    sam.get("/admin/")
    path = page(CHARGE, "charge", business.subscription.pk)
    with nothing_changes_in("acme"):
        assert sam.get(path).status_code == sam.post(path, WORKSHOP).status_code == 403
    assert sam.get(page(CHARGE, "changelist")).status_code == 200


def test_an_add_on_is_made_and_marked_in_the_catalog(olga: Staff, business: Business) -> None:
    given = {"name": "Care", "code": "care", "kind": "add_on", "currency": "USD", "description": ""}
    assert olga.post(page("catalog.plan", "add"), given).status_code == 302
    plan = Plan.objects.get(code="care")
    assert plan.is_add_on
    assert b"Add-on" in olga.get(page("catalog.plan", "changelist")).content
    version = olga.get(page("catalog.planversion", "change", plan.versions.get().pk)).content.decode()
    assert "interval_count" in version
    assert "trial_days" not in version
