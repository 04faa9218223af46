"""What staff do: each action asks first, calls one service, and tells what came of it."""

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.messages import get_messages

from apps.access.models import ApiKey
from apps.access.services.api_keys import find_api_key
from apps.audit.models import AuditEntry
from apps.catalog.models import Meter, Plan, PlanVersion
from apps.core import clock
from apps.customers.models import Customer
from apps.invoices.models import Invoice
from apps.invoices.services.close_periods import close_period
from apps.subscriptions.models import Subscription
from apps.usage.models import QuarantinedEvent, UsageEvent
from tests.admin.business import Business
from tests.admin.price_forms import add_url, price_form
from tests.admin.test_pages import page
from tests.harness.clients import Staff
from tests.harness.factories import (
    an_event,
    flat,
    make_customer,
    make_plan,
    make_subscription,
    report,
)


def told(response: Any) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


def audited(action: str) -> AuditEntry:
    return AuditEntry.objects.get(action=action, actor_kind="staff")


def finalize_url(invoice: Invoice) -> str:
    return page("invoices.invoice", "finalize", invoice.pk)


def test_finalizing_asks_with_the_sum(olga: Staff, business: Business) -> None:
    content = olga.get(finalize_url(business.draft)).content.decode()
    for words in ("Finalize the invoice over $52.50?", "Chat Assistant", "Payg v1"):
        assert words in content
    business.draft.refresh_from_db()
    assert business.draft.is_draft


def test_finalizing_asks_with_the_sum_of_now(olga: Staff, business: Business) -> None:
    """Usage that came since the draft was written belongs to it."""
    late = an_event(
        "late", timestamp=business.draft.period_start.isoformat(), properties={"input_tokens": 4_000_000}
    )
    report(late)
    assert "over $62.50?" in olga.get(finalize_url(business.draft)).content.decode()


def test_finalizing_takes_a_number(olga: Staff, business: Business) -> None:
    response = olga.post(finalize_url(business.draft))
    assert response.headers["Location"] == page("invoices.invoice", "change", business.draft.pk)
    business.draft.refresh_from_db()
    assert business.draft.status == Invoice.Status.OPEN
    assert told(response) == [f"Invoice {business.draft.number} over $52.50 is issued to Chat Assistant."]
    assert audited("invoice.finalized").actor == olga.email


def test_finalizing_twice_is_told_and_changes_nothing(olga: Staff, business: Business) -> None:
    before = Invoice.objects.get(pk=business.open_invoice.pk)
    response = olga.post(finalize_url(business.open_invoice))
    assert told(response) == [f"Invoice {before.number} is open already."]
    assert Invoice.objects.get(pk=before.pk).number == before.number


def test_what_is_done_is_not_asked_for_again(olga: Staff, business: Business) -> None:
    response = olga.get(finalize_url(business.open_invoice))
    assert response.headers["Location"] == page("invoices.invoice", "change", business.open_invoice.pk)
    assert "can't be done any more" in told(response)[0]


def test_an_action_on_what_is_not_there_is_not_found(olga: Staff, business: Business) -> None:
    for model, action in (
        ("invoices.invoice", "finalize"),
        ("access.apikey", "revoke"),
        ("catalog.meter", "archive"),
    ):
        assert olga.post(page(model, action, 999_999)).status_code == 404


def test_drafts_are_finalized_together(olga: Staff, business: Business) -> None:
    marked = {
        "action": "finalize_selected",
        "_selected_action": [business.draft.pk, business.open_invoice.pk],
    }
    asked = olga.post(page("invoices.invoice", "changelist"), marked)
    assert "Finalize 1 draft?" in asked.content.decode()
    assert "$52.50" in asked.content.decode()
    response = olga.post(page("invoices.invoice", "changelist"), marked | {"confirmed": "yes"})
    assert told(response) == ["1 of 1 drafts are finalized."]
    assert not Invoice.objects.filter(status=Invoice.Status.DRAFT).exists()


def test_an_earlier_draft_comes_first(olga: Staff, business: Business) -> None:
    end = business.subscription.schedule.full_period_at(business.this_month).end
    assert close_period(subscription_id=business.subscription.pk, now=end)
    newest = Invoice.objects.order_by("-id")[0]
    response = olga.post(finalize_url(newest))
    assert "comes first" in told(response)[0]
    newest.refresh_from_db()
    assert newest.is_draft


def test_quarantine_is_replayed_when_the_customer_exists(olga: Staff, business: Business) -> None:
    make_customer("nobody-yet")
    assert "<dd>3</dd>" in olga.get(page("usage.quarantinedevent", "replay_all")).content.decode()
    response = olga.post(page("usage.quarantinedevent", "replay_all"))
    assert told(response) == ["2 events replayed; 1 still waiting."]
    assert set(UsageEvent.objects.values_list("event_id", flat=True)) >= {"lost-1", "lost-2"}


def test_selected_events_are_replayed(olga: Staff, business: Business) -> None:
    make_customer("nobody-yet")
    event = QuarantinedEvent.objects.get(event_id="lost-1")
    marked = {"action": "replay_selected", "_selected_action": [event.pk]}
    assert (
        "Replay events?" in olga.post(page("usage.quarantinedevent", "changelist"), marked).content.decode()
    )
    response = olga.post(page("usage.quarantinedevent", "changelist"), marked | {"confirmed": "yes"})
    assert told(response) == ["1 event replayed."]
    assert not UsageEvent.objects.filter(event_id="lost-2").exists()


def test_all_that_match_a_filter_are_replayed(olga: Staff, business: Business) -> None:
    make_customer("nobody-yet")
    url = page("usage.quarantinedevent", "changelist") + "?reason__exact=unknown_customer"
    marked = {
        "action": "replay_selected",
        "_selected_action": ["0"],
        "select_across": "1",
        "confirmed": "yes",
    }
    assert told(olga.post(url, marked)) == ["2 events replayed."]
    assert QuarantinedEvent.objects.filter(status="waiting").count() == 1


def test_a_new_key_is_shown_once_and_works(olga: Staff, business: Business) -> None:
    response = olga.post(
        page("access.apikey", "add"), {"name": "CI", "scopes": ["events:write", "usage:read"]}
    )
    key = response.context["key"]
    assert key in response.content.decode()
    assert "no-store" in response.headers["Cache-Control"]
    api_key = find_api_key(key=key)
    assert api_key is not None
    assert (api_key.name, api_key.scopes) == ("CI", ["events:write", "usage:read"])
    assert audited("api_key.created").target_id == str(api_key.pk)
    for path in (page("access.apikey", "changelist"), page("access.apikey", "change", api_key.pk), "/admin/"):
        assert key not in olga.get(path).content.decode()
    secret = key.rpartition("_")[2]
    assert not AuditEntry.objects.filter(changes__icontains=secret).exists()


def test_a_key_is_revoked(olga: Staff, business: Business) -> None:
    api_key = ApiKey.objects.get(name="Default")
    url = page("access.apikey", "revoke", api_key.pk)
    assert "Revoke Default?" in olga.get(url).content.decode()
    assert "refused from now on" in told(olga.post(url))[0]
    api_key.refresh_from_db()
    assert api_key.revoked_at is not None
    assert audited("api_key.revoked").target_label == str(api_key)
    assert "was revoked before" in told(olga.post(url))[-1]
    assert AuditEntry.objects.filter(action="api_key.revoked").count() == 1


def test_a_meter_is_made_and_archived(olga: Staff, business: Business) -> None:
    form = {
        "name": "Images", "code": "images", "unit": "image", "event_name": "image.render", "aggregation": "count",
        "value_property": "", "dimensions": "model,size",
    }  # fmt: skip
    assert olga.post(page("catalog.meter", "add"), form).status_code == 302
    meter = Meter.objects.get(code="images")
    assert (meter.dimensions, meter.aggregation) == (["model", "size"], "count")
    assert audited("meter.created").target_label == "Images"
    assert (
        told(olga.post(page("catalog.meter", "archive", meter.pk)))[-1]
        == "Images counts no new events from now on."
    )
    meter.refresh_from_db()
    assert meter.archived_at is not None


def test_a_sum_without_its_property_is_refused_on_the_form(olga: Staff, business: Business) -> None:
    form = {
        "name": "X",
        "code": "x",
        "unit": "x",
        "event_name": "x",
        "aggregation": "sum",
        "value_property": "",
    }
    response = olga.post(page("catalog.meter", "add"), form)
    assert response.status_code == 200
    assert "A sum needs a property or an expression" in response.content.decode()


def test_the_name_of_a_meter_may_be_improved(olga: Staff, business: Business) -> None:
    meter = Meter.objects.get(code="input_tokens")
    form = {
        "name": "Prompt tokens",
        "unit": "token",
        "code": "other",
        "event_name": "other",
        "aggregation": "count",
    }
    assert olga.post(page("catalog.meter", "change", meter.pk), form).status_code == 302
    meter.refresh_from_db()
    assert (meter.name, meter.code, meter.event_name) == ("Prompt tokens", "input_tokens", "llm.call")
    assert audited("meter.changed").changes == {"name": ["Input tokens", "Prompt tokens"]}


def test_a_plan_is_made_priced_published_copied_and_archived(olga: Staff, business: Business) -> None:
    response = olga.post(
        page("catalog.plan", "add"), {"name": "Pro", "code": "pro", "description": "", "currency": "EUR"}
    )
    version = PlanVersion.objects.get(plan=Plan.objects.get(code="pro"))
    assert response.headers["Location"] == page("catalog.planversion", "change", version.pk)
    form = price_form(name="Input", code="in", meter="input_tokens", unit_amount="0.0000025")
    changed = olga.post(add_url(version), form)
    assert changed.status_code == 302, changed.context["errors"]
    assert version.prices.get().unit_amount == Decimal("0.0000025")

    asked = olga.get(page("catalog.planversion", "publish", version.pk)).content.decode()
    assert "EUR 0.0000025 per token" in asked
    olga.post(page("catalog.planversion", "publish", version.pk))
    version.refresh_from_db()
    assert version.status == PlanVersion.Status.PUBLISHED

    copied = olga.post(page("catalog.planversion", "copy", version.pk), {"price_book": ""})
    second = PlanVersion.objects.get(plan=version.plan, number=2)
    assert copied.headers["Location"] == page("catalog.planversion", "change", second.pk)
    assert (second.status, second.prices.get().unit_amount) == ("draft", Decimal("0.0000025"))

    assert told(olga.post(page("catalog.planversion", "archive", version.pk)))[-1] == "Pro v1 is off offer."


def test_an_empty_version_is_not_published(olga: Staff, business: Business) -> None:
    version = make_plan("empty", prices=[], publish=False)
    assert "has no prices yet" in told(olga.post(page("catalog.planversion", "publish", version.pk)))[0]


def subscription_form(customer: Customer, version: PlanVersion, **changes: Any) -> dict[str, Any]:
    now = clock.now()
    form = {"customer": customer.pk, "plan_version": version.pk, "billing_anchor": "calendar"}
    return form | {"started_at_0": now.date().isoformat(), "started_at_1": "00:00:00"} | changes


def test_a_customer_is_subscribed(olga: Staff, business: Business) -> None:
    customer = make_customer("second", time_zone="Europe/Berlin")
    version = business.subscription.plan_version
    assert (
        olga.post(page("subscriptions.subscription", "add"), subscription_form(customer, version)).status_code
        == 302
    )
    assert Subscription.objects.get(customer=customer).time_zone == "Europe/Berlin"
    assert audited("subscription.created").actor == olga.email


@pytest.mark.parametrize(
    ("currency", "started", "message"),
    [
        ("EUR", {}, "pays in EUR"),
        ("USD", {"started_at_0": "1999-01-01"}, "at most five years ago"),
    ],
)
def test_what_subscribing_refuses_is_said_on_the_form(
    olga: Staff, business: Business, currency: str, started: dict[str, str], message: str
) -> None:
    customer = make_customer("second", currency=currency)
    # The first subscription fixes the currency.
    make_subscription(customer, make_plan("first", [flat("1")], currency=currency))
    form = subscription_form(customer, business.subscription.plan_version, **started)
    response = olga.post(page("subscriptions.subscription", "add"), form)
    assert response.status_code == 200
    (errors,) = response.context["adminform"].form.errors.values()
    assert message in errors[0]
    assert Subscription.objects.filter(customer=customer).count() == 1


def test_only_published_versions_are_offered(olga: Staff, business: Business) -> None:
    draft = make_plan("draft", publish=False)
    form = olga.get(page("subscriptions.subscription", "add")).context["adminform"].form
    offered = set(form.fields["plan_version"].queryset)
    assert draft not in offered
    assert business.subscription.plan_version in offered


CUSTOMER = {"name": "New", "external_id": "new", "currency": "USD", "time_zone": "UTC", "metadata": "{}"}


def test_a_customer_is_made_and_changed(olga: Staff, business: Business) -> None:
    assert olga.post(page("customers.customer", "add"), CUSTOMER).status_code == 302
    customer = Customer.objects.get(external_id="new")
    assert audited("customer.created").target_id == customer.public_id
    changed = CUSTOMER | {"name": "Newer", "external_id": "another"}
    assert olga.post(page("customers.customer", "change", customer.pk), changed).status_code == 302
    customer.refresh_from_db()
    assert (customer.name, customer.external_id) == ("Newer", "new")
    assert audited("customer.changed").changes == {"name": ["New", "Newer"]}


def test_a_taken_external_id_is_said_at_its_field(olga: Staff, business: Business) -> None:
    response = olga.post(page("customers.customer", "add"), CUSTOMER | {"external_id": "chat"})
    assert response.status_code == 200
    assert "external_id" in response.context["adminform"].form.errors


def test_billing_settings_are_changed_with_an_entry(olga: Staff, business: Business) -> None:
    form = {"draft_grace_hours": "0", "zero_invoices": "issue", "brake_on_total_invoices": "3"}
    assert olga.post(page("invoices.billingsettings", "change", 1), form).status_code == 302
    assert audited("billing_settings.changed").changes["draft_grace_hours"] == ["24", "0"]


def test_a_password_is_set_and_never_written_down(olga: Staff, sam: Staff, business: Business) -> None:
    form = {"password1": "a-new-long-password", "password2": "a-new-long-password", "usable_password": "true"}
    url = f"/admin/access/staffuser/{sam.user.pk}/password/"
    assert olga.get(url).status_code == 200
    assert olga.post(url, form).status_code == 302
    sam.user.refresh_from_db()
    assert sam.user.check_password("a-new-long-password")
    assert "a-new-long-password" not in str(audited("staff_user.changed").changes)


def test_nobody_locks_themselves_out(olga: Staff, business: Business) -> None:
    url = page("access.staffuser", "change", olga.user.pk)
    response = olga.post(url, {"email": olga.email, "name": "Olga"})
    assert response.status_code == 200
    assert "lock yourself out" in response.content.decode()
    olga.user.refresh_from_db()
    assert olga.user.is_active
