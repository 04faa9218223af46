"""What staff do to a subscription: asked without defaults, previewed by the code that does it, confirmed, recorded."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from apps.audit.models import AuditEntry
from apps.core import clock
from apps.subscriptions.models import Subscription
from apps.subscriptions.services.change_subscription import change_subscription
from tests.admin.business import Business
from tests.admin.test_pages import page
from tests.harness.clients import Staff
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import flat, make_plan

SUBSCRIPTION = "subscriptions.subscription"
ASKED: dict[str, dict[str, Any]] = {
    "change_terms": {"quantity": "3", "when": "now", "reason": "More people"},
    "pause": {"when": "now", "reason": "Holidays"},
    "cancel_it": {"when": "period_end", "unused": "credit", "reason": "Gone"},
    "move_time_zone": {"time_zone": "Europe/Berlin", "reason": "Moved"},
    "set_threshold": {"amount": "500.50", "reason": "New customer"},
}
ENTRIES = {
    "change_terms": "subscription.changed",
    "pause": "subscription.paused",
    "cancel_it": "subscription.canceled",
    "move_time_zone": "subscription.time_zone_changed",
    "set_threshold": "subscription.threshold_set",
}


def path_of(business: Business, action: str) -> str:
    return page(SUBSCRIPTION, action, business.subscription.pk)


def told(olga: Staff, business: Business) -> str:
    return olga.get(page(SUBSCRIPTION, "change", business.subscription.pk)).content.decode()


@pytest.mark.parametrize("action", ASKED)
def test_a_change_is_asked_previewed_and_made(olga: Staff, business: Business, action: str) -> None:
    path, given = path_of(business, action), ASKED[action]
    olga.get("/admin/")  # signs in
    with nothing_changes_in("acme"):
        assert olga.get(path).context["preview"] is None
        seen = olga.post(path, given)
        assert seen.context["preview"]["invoices"]
    done = olga.post(path, given | {"seal": seen.context["seal"]})
    assert done.status_code == 302
    entry = AuditEntry.objects.get(action=ENTRIES[action])
    assert (entry.actor, entry.reason) == (olga.email, given["reason"])
    assert given["reason"] in told(olga, business)


@pytest.mark.parametrize(
    ("action", "left_out"),
    [("change_terms", "when"), ("change_terms", "reason"), ("cancel_it", "unused"), ("cancel_it", "when")],
)
def test_nothing_is_chosen_for_somebody(olga: Staff, business: Business, action: str, left_out: str) -> None:
    given = {name: value for name, value in ASKED[action].items() if name != left_out}
    response = olga.post(path_of(business, action), given)
    assert list(response.context["form"].errors) == [left_out]
    assert response.context["preview"] is None


def test_a_preview_shows_each_line_and_the_difference(olga: Staff, business: Business) -> None:
    dear = make_plan("dear", [flat("100.00")])
    given = {"plan": dear.plan_id, "when": "period_end", "reason": "Upgrade"}
    seen = olga.post(path_of(business, "change_terms"), given)
    preview = seen.context["preview"]
    # From next month on: nothing on the invoices that follow now.
    assert preview["is_same"]
    assert {row["before"] == row["after"] for one in preview["invoices"] for row in one["rows"]} == {True}
    cheap = {"plan": dear.plan_id, "when": "now", "reason": "Upgrade"}
    preview = olga.post(path_of(business, "change_terms"), cheap).context["preview"]
    changed = [row for one in preview["invoices"] for row in one["rows"] if row["is_changed"]]
    assert {bool(row["before"]) for row in changed} == {True, False}
    assert preview["difference"].startswith(("+$", "-$"))


def test_a_refusal_stands_at_its_field_and_keeps_what_was_typed(olga: Staff, business: Business) -> None:
    given = {"quantity": "7", "when": "date", "at": "2020-01-01T00:00", "reason": "Too late"}
    response = olga.post(path_of(business, "change_terms"), given)
    form = response.context["form"]
    assert list(form.errors) == ["at"]
    content = response.content.decode()
    assert 'value="7"' in content
    assert "Too late" in content


def test_a_time_is_local(olga: Staff, business: Business) -> None:
    Subscription.objects.update(time_zone="Asia/Tokyo")
    later = clock.now() + timedelta(days=400)
    given = {"quantity": "7", "when": "date", "at": f"{later:%Y-%m-%d}T09:00", "reason": "Then"}
    path = path_of(business, "change_terms")
    seal = olga.post(path, given).context["seal"]
    olga.post(path, given | {"seal": seal})
    last = business.subscription.phases.get(quantity=7)
    # 09:00 in Tokyo is midnight UTC.
    assert f"{last.starts_at:%Y-%m-%d %H:%M}" == f"{later:%Y-%m-%d} 00:00"


def test_what_changed_meanwhile_is_shown_again(olga: Staff, business: Business) -> None:
    path, given = path_of(business, "cancel_it"), ASKED["cancel_it"]
    seal = olga.post(path, given).context["seal"]
    change_subscription(subscription=business.subscription, when="now", quantity=2, now=clock.now())
    again = olga.post(path, given | {"seal": seal})
    assert again.status_code == 200
    assert "Something has changed" in again.content.decode()
    assert not AuditEntry.objects.filter(action="subscription.canceled").exists()
    assert olga.post(path, given | {"seal": again.context["seal"]}).status_code == 302


def test_another_choice_than_was_looked_at_is_shown_first(olga: Staff, business: Business) -> None:
    path, given = path_of(business, "cancel_it"), ASKED["cancel_it"]
    seal = olga.post(path, given).context["seal"]
    assert olga.post(path, given | {"unused": "refund", "seal": seal}).status_code == 200
    assert olga.post(path, given | {"seal": "made up"}).status_code == 200
    with time_machine.travel(clock.now() + timedelta(hours=2), tick=False):
        assert olga.post(path, given | {"seal": seal}).status_code == 200
    assert not AuditEntry.objects.filter(action="subscription.canceled").exists()


def test_the_change_is_made_as_of_the_look(olga: Staff, business: Business) -> None:
    path, given = path_of(business, "change_terms"), ASKED["change_terms"]
    now = clock.now()
    with time_machine.travel(now, tick=False) as traveller:
        seal = olga.post(path, given).context["seal"]
        traveller.shift(timedelta(minutes=5))
        olga.post(path, given | {"seal": seal})
    assert business.subscription.phases.get(quantity=3).starts_at == now


def test_going_back_keeps_what_was_typed(olga: Staff, business: Business) -> None:
    response = olga.post(
        path_of(business, "change_terms"), ASKED["change_terms"] | {"edit": "yes", "seal": "x"}
    )
    assert response.context["preview"] is None
    assert "More people" in response.content.decode()


def test_only_what_makes_sense_is_on_offer(olga: Staff, business: Business) -> None:
    def offered() -> set[str]:
        content = told(olga, business)
        return {
            action
            for action in (*ASKED, "resume", "reactivate", "drop_change")
            if path_of(business, action) in content
        }

    assert offered() == set(ASKED)
    change_subscription(subscription=business.subscription, when="period_end", quantity=5, now=clock.now())
    assert offered() == {*ASKED, "drop_change"}
    for action in ("pause", "cancel_it"):
        seal = olga.post(path_of(business, action), ASKED[action]).context["seal"]
        olga.post(path_of(business, action), ASKED[action] | {"seal": seal})
    assert {"resume", "reactivate"} <= offered()
    for action in ("reactivate", "resume", "drop_change"):
        given = {"reason": "Back"} | ({"when": "now"} if action == "resume" else {})
        seal = olga.post(path_of(business, action), given).context["seal"]
        assert olga.post(path_of(business, action), given | {"seal": seal}).status_code == 302
    assert offered() == set(ASKED)
    assert olga.get(path_of(business, "reactivate")).status_code == 302


def test_the_page_tells_the_life_and_the_spend(olga: Staff, business: Business) -> None:
    change_subscription(subscription=business.subscription, when="period_end", quantity=5, now=clock.now())
    content = told(olga, business)
    for words in (
        "Timeline",
        "5 seats",
        "Scheduled",
        "Open period",
        "Live spend",
        "If usage goes on",
        "Changes",
    ):
        assert words in content, words


def test_a_reader_looks_and_changes_nothing(reader: Staff, business: Business) -> None:
    for action, given in ASKED.items():
        assert reader.get(path_of(business, action)).status_code == 403
        assert reader.post(path_of(business, action), given).status_code == 403
    assert path_of(business, "pause") not in told(reader, business)


def test_a_subscription_begins_with_all_that_can_be_said(olga: Staff, business: Business) -> None:
    dear = make_plan("dear", [flat("100.00")])
    form = {
        "customer": business.customer.pk, "plan": dear.plan_id, "started_at_0": "2026-01-31",
        "started_at_1": "00:00:00", "billing_anchor": "day_of_month", "billing_day": "31", "quantity": "4",
        "trial_days": "10", "trial_covers": "everything", "trial_end": "cancel", "billing_threshold": "99.50",
    }  # fmt: skip
    wrong = olga.post(page(SUBSCRIPTION, "add"), form | {"billing_day": ""})
    assert "Give a day from 1 to 31" in wrong.content.decode()
    wrong = olga.post(page(SUBSCRIPTION, "add"), form | {"billing_threshold": "-1"})
    assert "A threshold is an amount above zero." in wrong.content.decode()
    wrong = olga.post(page(SUBSCRIPTION, "add"), form | {"billing_threshold": "0.001"})
    assert "A threshold is an amount above zero in USD" in wrong.content.decode()
    assert olga.post(page(SUBSCRIPTION, "add"), form).status_code == 302
    made = Subscription.objects.latest("pk")
    phases = list(made.phases.values_list("quantity", "treatment"))
    assert (made.billing_day, phases) == (31, [(4, "trial_all"), (4, "billed")])
    assert f"{made.ends_at:%Y-%m-%d}" == "2026-02-10"
    assert made.billing_threshold == Decimal("99.5")


def test_the_threshold_stands_beside_what_is_unbilled(olga: Staff, business: Business) -> None:
    path = path_of(business, "set_threshold")
    wrong = olga.post(path, {"amount": "0", "reason": "x"})
    assert list(wrong.context["form"].errors) == ["amount"]
    given = ASKED["set_threshold"]
    olga.post(path, given | {"seal": olga.post(path, given).context["seal"]})
    content = told(olga, business)
    assert "Usage is billed at $500.50 unbilled" in content
    assert "Billed at $500.50" in content
    customer = olga.get(page("customers.customer", "change", business.customer.pk)).content.decode()
    assert "It is billed when it reaches $500.50." in customer
    assert "It is $500.50 now" in olga.get(path).content.decode()
    given = {"amount": "", "reason": "Off"}
    olga.post(path, given | {"seal": olga.post(path, given).context["seal"]})
    assert "billed at the end of its period" in told(olga, business)
