"""Add-ons beside a plan: attached, changed and detached at any time. The arithmetic stands beside the amounts."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from apps.audit.models import AuditEntry
from apps.catalog.models import Plan, PlanVersion
from apps.catalog.services import plans, versions
from apps.catalog.services.plans import NewPrice
from apps.core.errors import Invalid, Refused
from apps.invoices.models import Invoice, InvoiceLine
from apps.invoices.services.preview_change import preview
from apps.invoices.services.void_invoice import reissue_invoice
from apps.subscriptions.models import Subscription, SubscriptionAddOn
from apps.subscriptions.services.add_ons import attach_add_on, change_add_on, detach_add_on
from apps.subscriptions.services.cancel import cancel
from apps.subscriptions.services.change_subscription import change_subscription
from apps.subscriptions.services.change_time_zone import change_time_zone
from apps.subscriptions.services.pause import pause
from apps.subscriptions.services.subscribe import subscribe
from apps.tenants.models import Tenant
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import make_customer, make_meter
from tests.scenarios.lifecycle.words import NO_TIME, at, base, bills, calls, fresh, lines, run, sell, start

YEARLY = {"interval_count": 12, "usage_interval_unit": "month", "usage_interval_count": 1}


def support(amount: str, timing: str = "advance", **more: Any) -> NewPrice:
    return base(amount, timing, code="support", **more)


def setup(amount: str) -> NewPrice:
    return base(amount, "once", code="setup")


def offer(*prices: NewPrice, code: str = "support", **terms: Any) -> PlanVersion:
    return sell(code, *prices, kind=Plan.Kind.ADD_ON, **terms)


def on_a_plan(*, opened: bool = True, **terms: Any) -> Subscription:
    """10.00 a month, paid at the start, since 1 January."""
    subscription = start(sell("pro", base("10", "advance"), **terms), at("2026-01-01"))
    if opened:
        run(at("2026-01-01"))
    return subscription


def attach(subscription: Subscription, version: PlanVersion, now: datetime, **more: Any) -> None:
    when = {"when": "date"} if "at" in more else {"when": "now"}
    attach_add_on(subscription=subscription, plan_version=version, now=now, **(when | more))


def detach(subscription: Subscription, version: PlanVersion, now: datetime, **more: Any) -> None:
    when = {"when": "date"} if "at" in more else {"when": "now"}
    detach_add_on(subscription=subscription, plan=version.plan, now=now, **(when | more))


def of_add_ons() -> list[tuple[str, str, str]]:
    return [one for one in lines() if not one[1].startswith("Base")]


# Attached in the midst of a period


def test_paid_at_the_start_and_attached_in_mid_month(in_acme: Tenant) -> None:
    """From the 11th 21 of 31 days are left: 31 × 21/31 = 21. Then February in full, ahead, and nothing else."""
    subscription = on_a_plan()
    attach(subscription, offer(support("31")), at("2026-01-11"), reason="They asked for it.")
    run(at("2026-02-01"))
    assert lines() == [
        ("flat", "Support", "21.00"),
        ("flat", "Base", "10.00"),
        ("flat", "Support", "31.00"),
    ]
    run(at("2026-03-01"))
    assert lines() == [("flat", "Base", "10.00"), ("flat", "Support", "31.00")]
    with nothing_changes_in("acme"):
        run(at("2026-03-01"))
    entry = AuditEntry.objects.get(action="subscription.add_on_attached")
    assert entry.reason == "They asked for it."


def test_counted_by_time_an_hour_counts(in_acme: Tenant) -> None:
    """From noon of the 11th 20.5 of 31 days are left."""
    subscription = on_a_plan()
    attach(subscription, offer(support("31")), at("2026-01-11 12:00"))
    run(at("2026-02-01"))
    assert of_add_ons()[0] == ("flat", "Support", "20.50")


def test_counted_in_days_the_day_belongs_to_it(in_acme: Tenant) -> None:
    """At 15:00 of the 11th: from its midnight, 21 of 31 days. Detached on the 21st at 9:00: 10 days. 31 × 10/31."""
    subscription = on_a_plan(proration="day")
    version = offer(support("31"))
    attach(subscription, version, at("2026-01-11 15:00"))
    detach(subscription, version, at("2026-01-21 09:00"))
    run(at("2026-02-01"))
    assert of_add_ons() == [("flat", "Support", "10.00")]


def test_paid_at_the_end_and_attached_in_mid_month(in_acme: Tenant) -> None:
    """14 of the 28 days of February."""
    subscription = on_a_plan()
    attach(subscription, offer(support("28", "arrears")), at("2026-02-15"))
    run(at("2026-03-01"))
    assert lines() == [("flat", "Support", "14.00"), ("flat", "Base", "10.00")]


def test_when_the_paid_period_ends(in_acme: Tenant) -> None:
    subscription = on_a_plan()
    attach(subscription, offer(support("28")), at("2026-01-11"), when="period_end")
    run(at("2026-02-01"))
    assert of_add_ons() == [("flat", "Support", "28.00")]
    run(at("2026-03-01"))
    assert of_add_ons() == [("flat", "Support", "28.00")]


def test_there_from_the_start_it_is_on_the_opening(in_acme: Tenant) -> None:
    """Also where the plan itself asks for nothing at the start."""
    subscription = start(sell("bare", base("5")), at("2026-01-01"))
    attach(subscription, offer(support("31"), setup("50")), at("2026-01-01"), at=at("2026-01-01"))
    run(at("2026-01-01"))
    assert lines() == [("flat", "Support", "31.00"), ("flat", "Setup", "50.00")]
    run(at("2026-02-01"))
    assert lines() == [("flat", "Base", "5.00"), ("flat", "Support", "31.00")]
    assert bills() == [("26-01-01", "opening", "81.00"), ("26-01-01", "26-02-01", "36.00")]


# Changed and detached


def test_detached_what_is_unused_comes_back(in_acme: Tenant) -> None:
    """10 of 31 days were used: 31 × 10/31 = 10 is due, 31 was paid."""
    subscription = on_a_plan(opened=False)
    version = offer(support("31"))
    attach(subscription, version, at("2026-01-01"))
    run(at("2026-01-01"))
    assert of_add_ons() == [("flat", "Support", "31.00")]
    detach(subscription, version, at("2026-01-11"))
    run(at("2026-02-01"))
    assert lines() == [("credit", "Support: unused part", "-21.00"), ("flat", "Base", "10.00")]
    run(at("2026-03-01"))
    assert lines() == [("flat", "Base", "10.00")]


def test_detached_when_the_paid_period_ends_nothing_comes_back(in_acme: Tenant) -> None:
    subscription = on_a_plan(opened=False)
    version = offer(support("31"))
    attach(subscription, version, at("2026-01-01"))
    run(at("2026-01-01"))
    detach(subscription, version, at("2026-01-11"), when="period_end")
    run(at("2026-02-01"))
    assert lines() == [("flat", "Base", "10.00")]


def test_detached_before_it_began_it_never_was(in_acme: Tenant) -> None:
    subscription = on_a_plan()
    version = offer(support("31"), setup("50"))
    attach(subscription, version, at("2026-01-11"), at=at("2026-01-21"))
    detach(subscription, version, at("2026-01-12"))
    run(at("2026-02-01"))
    assert of_add_ons() == []
    assert not SubscriptionAddOn.objects.exists()


def test_more_of_it(in_acme: Tenant) -> None:
    """2 × 31 paid; 3 from the 11th: 2 × 10 + 3 × 21 = 83 is due. February: 3 × 31."""
    subscription = on_a_plan(opened=False)
    version = offer(support("31", is_per_seat=True))
    attach(subscription, version, at("2026-01-01"), quantity=2)
    run(at("2026-01-01"))
    change_add_on(subscription=subscription, plan=version.plan, quantity=3, when="now", now=at("2026-01-11"))
    run(at("2026-02-01"))
    assert of_add_ons() == [("flat", "Support", "21.00"), ("flat", "Support", "93.00")]


def test_two_attachments_in_one_month(in_acme: Tenant) -> None:
    """10 days and 11 days, each a part of its own; and each asks for its setup."""
    subscription = on_a_plan()
    version = offer(support("31"), setup("50"))
    attach(subscription, version, at("2026-01-01 00:00"))
    detach(subscription, version, at("2026-01-11"))
    attach(subscription, version, at("2026-01-21"))
    run(at("2026-02-01"))
    assert lines() == [
        ("flat", "Support", "10.00"),
        ("flat", "Support", "11.00"),
        ("flat", "Setup", "50.00"),
        ("flat", "Setup", "50.00"),
        ("flat", "Base", "10.00"),
        ("flat", "Support", "31.00"),
    ]


def test_attached_anew_at_once_it_goes_on(in_acme: Tenant) -> None:
    """As another version may be: no second setup, and no hole."""
    subscription = on_a_plan()
    version = offer(support("31"), setup("50"))
    attach(subscription, version, at("2026-01-11"))
    dearer = versions.publish_version(
        version=plans.draft_version(plan=version.plan, currency="USD", prices=[support("62"), setup("70")]),
        now=at("2026-01-12"),
    )
    detach(subscription, version, at("2026-01-21"))
    attach(subscription, dearer, at("2026-01-21"))
    run(at("2026-02-01"))
    # 31 × 10/31 + 62 × 11/31 + 50, and 62 ahead.
    assert [amount for _, _, amount in of_add_ons()] == ["10.00", "22.00", "50.00", "62.00"]


# Longer terms


def test_a_year_of_fees_with_monthly_usage(in_acme: Tenant) -> None:
    """Attached on 26 May: 220 of 365 days are left. Detached at the end of June: 184 days come back in July."""
    subscription = start(sell("pro", base("365", "advance"), **YEARLY), at("2026-01-01"))
    version = offer(support("365"), interval_count=12)
    run(at("2026-05-01"))
    attach(subscription, version, at("2026-05-26"))
    run(at("2026-06-01"))
    assert lines() == [("flat", "Support", "220.00")]
    detach(subscription, version, at("2026-06-10"), at=at("2026-07-01"))
    run(at("2026-07-01"))
    assert lines() == []
    run(at("2026-08-01"))
    assert lines() == [("credit", "Support: unused part", "-184.00")]
    run(at("2027-01-01"))
    assert lines() == [("flat", "Base", "365.00")]


def test_a_fee_for_another_interval_is_refused(in_acme: Tenant) -> None:
    """31 a month would be 31 a year."""
    subscription = on_a_plan()
    yearly = sell("yearly", base("100", "advance"), interval_count=12)
    version = offer(support("31"))
    for_a_year = offer(support("365"), code="dear", interval_count=12)
    with nothing_changes_in("acme"), pytest.raises(Refused) as refused:
        attach(subscription, for_a_year, at("2026-01-11"))
    assert refused.value.code == "add_on_interval"
    attach(subscription, version, at("2026-01-11"))
    for when in ("now", "period_end"):
        with nothing_changes_in("acme"), pytest.raises(Refused) as refused:
            change_subscription(
                subscription=subscription, plan_version=yearly, when=when, now=at("2026-01-12")
            )
        assert refused.value.code == "add_on_interval"
    detach(subscription, version, at("2026-01-20"), when="period_end")
    change_subscription(
        subscription=subscription, plan_version=yearly, when="period_end", now=at("2026-01-21")
    )
    run(at("2026-02-01"))
    assert of_add_ons() == [("flat", "Support", "21.00")]


def test_another_plan_leaves_add_ons_alone(in_acme: Tenant) -> None:
    """Paid 28 for February. Another plan from the 15th cuts nothing of it."""
    subscription = on_a_plan()
    attach(subscription, offer(support("28.01")), at("2026-01-11"), when="period_end")
    run(at("2026-02-01"))
    dear = sell("dear", base("56", "advance"))
    change_subscription(subscription=subscription, plan_version=dear, when="now", now=at("2026-02-15"))
    run(at("2026-03-01"))
    assert lines() == [
        ("credit", "Base: unused part", "-5.00"),
        ("flat", "Base", "28.00"),
        ("flat", "Base", "56.00"),
        ("flat", "Support", "28.01"),
    ]


# Trials, pauses, ends


def test_a_trial_of_fees_defers_it_to_the_opening(in_acme: Tenant) -> None:
    """The trial ends on the 11th: 21 of 31 days, and the setup then."""
    subscription = start(sell("pro", base("31", "advance"), trial_days=10), at("2026-01-01"))
    attach(subscription, offer(support("31"), setup("50")), at("2026-01-05"))
    run(at("2026-01-11"))
    assert lines() == [
        ("flat", "Base", "21.00"),
        ("flat", "Support", "21.00"),
        ("flat", "Setup", "50.00"),
    ]
    run(at("2026-02-01"))
    assert lines() == [("flat", "Base", "31.00"), ("flat", "Support", "31.00")]


def test_a_pause_asks_for_nothing(in_acme: Tenant) -> None:
    """Paused from the 11th to the 21st: 10 and 11 days of 31."""
    subscription = start(sell("bare", base("0")), at("2026-01-01"))
    attach(subscription, offer(support("31", "arrears")), at("2026-01-01"))
    pause(subscription=subscription, when="now", now=at("2026-01-11"), resume_at=at("2026-01-21"))
    run(at("2026-02-01"))
    assert of_add_ons() == [("flat", "Support", "10.00"), ("flat", "Support", "11.00")]


def test_attached_in_a_pause_it_is_set_up_when_that_is_over(in_acme: Tenant) -> None:
    subscription = on_a_plan()
    pause(subscription=subscription, when="now", now=at("2026-01-11"), resume_at=at("2026-02-15"))
    attach(subscription, offer(support("28"), setup("50")), at("2026-01-21"))
    run(at("2026-02-01"))
    assert of_add_ons() == []
    run(at("2026-03-01"))
    # 14 of 28 days; setup; March.
    assert [amount for _, _, amount in of_add_ons()] == ["14.00", "50.00", "28.00"]


@pytest.mark.parametrize(
    ("unused", "expected"), [("credit", "-21.00"), ("refund", "-21.00"), ("nothing", "")]
)
def test_cancelled_its_unused_part_follows_the_plan(in_acme: Tenant, unused: str, expected: str) -> None:
    subscription = on_a_plan(opened=False)
    attach(subscription, offer(support("31"), setup("50")), at("2026-01-01"))
    run(at("2026-01-01"))
    cancel(subscription=subscription, when="now", unused=unused, now=at("2026-01-11"))
    run(at("2026-02-01"))
    assert [amount for _, _, amount in of_add_ons()] == ([expected] if expected else [])
    assert SubscriptionAddOn.objects.get().ends_at == at("2026-01-11")
    assert fresh(subscription).status == "ended"


def test_cancelled_where_it_is_billed_what_was_ahead_comes_back(in_acme: Tenant) -> None:
    subscription = on_a_plan()
    version = offer(support("28"), setup("50"))
    attach(subscription, version, at("2026-01-31"))
    run(at("2026-02-01"))
    cancel(subscription=subscription, when="date", at=at("2026-02-01"), unused="credit", now=at("2026-02-03"))
    run(at("2026-02-03"))
    assert lines() == [
        ("credit", "Base: unused part", "-10.00"),
        ("credit", "Support: unused part", "-28.00"),
    ]


def test_after_the_end_none_is_attached(in_acme: Tenant) -> None:
    subscription = on_a_plan()
    cancel(subscription=subscription, when="period_end", unused="credit", now=at("2026-01-11"))
    with pytest.raises(Refused) as refused:
        attach(subscription, offer(support("31")), at("2026-01-12"), at=at("2026-02-02"))
    assert refused.value.code == "ends_before"


# Asked for once


def test_a_setup_is_asked_for_once_where_it_begins(in_acme: Tenant) -> None:
    subscription = on_a_plan()
    attach(subscription, offer(setup("50")), at("2026-01-11"))
    for month in ("2026-02-01", "2026-03-01", "2026-04-01"):
        run(at(month))
    assert [
        (one.invoice.period_start, one.amount) for one in InvoiceLine.objects.filter(description="Setup")
    ] == [(at("2026-01-01"), Decimal(50))]


def test_a_setup_is_on_the_reissue_and_nowhere_else(in_acme: Tenant) -> None:
    subscription = on_a_plan()
    attach(subscription, offer(setup("50")), at("2026-01-11"))
    run(at("2026-02-01"))
    reissue_invoice(invoice=Invoice.objects.get(kind="cycle"), reason="Anew.", now=at("2026-02-04"))
    run(at("2026-03-01"))
    live = InvoiceLine.objects.filter(description="Setup").exclude(invoice__status="void")
    assert [one.invoice.period_start for one in live] == [at("2026-01-01")]


@pytest.mark.parametrize("is_issued", [True, False])
def test_dated_back_to_the_start_a_setup_is_billed_once(in_acme: Tenant, is_issued: bool) -> None:
    """On the opening while it is a draft; else on the first cycle, and not again when the opening is reissued."""
    subscription = on_a_plan(opened=is_issued)
    if not is_issued:
        run(at("2026-01-01"), grace=NO_TIME)
    attach(subscription, offer(setup("50")), at("2026-01-03"), at=at("2026-01-01"))
    run(at("2026-01-04"))
    run(at("2026-02-01"))
    [line] = InvoiceLine.objects.filter(description="Setup")
    assert line.invoice.kind == ("cycle" if is_issued else "opening")
    assert line.amount == 50


# Drafts


def test_a_draft_does_not_know_what_comes_after_it(in_acme: Tenant) -> None:
    """January is a draft on 1 February; attached at noon: 27.5 of 28 days, on February's invoice."""
    subscription = on_a_plan()
    run(at("2026-02-01"), grace=NO_TIME)
    attach(subscription, offer(support("28"), setup("50")), at("2026-02-01 12:00"))
    run(at("2026-02-03"))
    assert lines() == [("flat", "Base", "10.00")]
    run(at("2026-03-01"))
    assert [amount for _, _, amount in of_add_ons()] == ["27.50", "50.00", "28.00"]


@pytest.mark.parametrize("is_issued", [True, False])
def test_attached_at_the_cursor(in_acme: Tenant, is_issued: bool) -> None:
    """Where the drafted cycle ends: it bills February ahead, or when it is issued February does itself."""
    subscription = on_a_plan()
    run(at("2026-02-01"), **({} if is_issued else {"grace": NO_TIME}))
    attach(subscription, offer(support("28")), at("2026-02-01 12:00"), at=at("2026-02-01"))
    run(at("2026-02-03"))
    assert of_add_ons() == ([] if is_issued else [("flat", "Support", "28.00")])
    run(at("2026-03-01"))
    assert [amount for _, _, amount in of_add_ons()] == ["28.00"] * (2 if is_issued else 1)


def test_not_before_what_is_billed(in_acme: Tenant) -> None:
    subscription = on_a_plan()
    version = offer(support("28"))
    run(at("2026-02-01"))
    with nothing_changes_in("acme"), pytest.raises(Refused) as refused:
        attach(subscription, version, at("2026-02-10"), at=at("2026-01-20"))
    assert refused.value.code == "already_billed"


def test_what_is_previewed_is_billed(in_acme: Tenant) -> None:
    subscription = on_a_plan()
    version = offer(support("31"), setup("50"))
    given: dict[str, Any] = {"plan_version": version, "when": "now"}
    with nothing_changes_in("acme"):
        seen = preview(attach_add_on, subscription=subscription, now=at("2026-01-11"), **given)
    assert seen.difference == 21 + 50 + 31
    attach_add_on(subscription=subscription, now=at("2026-01-11"), **given)
    run(at("2026-02-01"))
    assert Invoice.objects.order_by("-id")[0].total == seen.after[-1].total == 112


def test_a_change_of_zone_takes_scheduled_edges_along(in_acme: Tenant) -> None:
    """Attached from 1 February UTC, which becomes midnight in Berlin: no sliver of an hour is billed."""
    subscription = on_a_plan()
    attach(subscription, offer(support("28")), at("2026-01-11"), when="period_end")
    change_time_zone(subscription=subscription, time_zone="Europe/Berlin", now=at("2026-01-12"))
    assert SubscriptionAddOn.objects.get().starts_at == at("2026-02-01", "Europe/Berlin")
    run(at("2026-03-02"))
    assert of_add_ons() == [("flat", "Support", "28.00")]


def test_a_change_of_zone_moves_an_end_past_what_begins_soon_after_it(in_acme: Tenant) -> None:
    """Detached on 1 February UTC and attached at 03:00; in New York February begins at 05:00."""
    subscription, version = on_a_plan(), offer(support("28"))
    attach(subscription, version, at("2026-01-10"))
    detach(subscription, version, at("2026-01-10"), at=at("2026-02-01"))
    attach(subscription, version, at("2026-01-10"), at=at("2026-02-01 03:00"))
    change_time_zone(subscription=subscription, time_zone="America/New_York", now=at("2026-01-11"))
    rows = SubscriptionAddOn.objects.order_by("starts_at").values_list("ends_at", flat=True)
    assert rows.last() is None
    run(at("2026-02-02"))
    run(at("2026-03-02"))
    assert of_add_ons() == [("flat", "Support", "28.00")]


# What is refused


def test_an_add_on_is_no_plan_and_a_plan_no_add_on(in_acme: Tenant) -> None:
    subscription = on_a_plan()
    version = offer(support("31"))
    with pytest.raises(Refused) as refused:
        subscribe(
            customer=make_customer("other"),
            plan_version=version,
            started_at=at("2026-01-01"),
            now=at("2026-01-01"),
        )
    assert (refused.value.code, refused.value.param) == ("is_add_on", "/plan")
    with pytest.raises(Refused) as refused:
        change_subscription(subscription=subscription, plan_version=version, when="now", now=at("2026-01-02"))
    assert refused.value.code == "is_add_on"
    with pytest.raises(Refused) as refused:
        attach(subscription, sell("dear", base("1")), at("2026-01-02"))
    assert refused.value.code == "not_an_add_on"


def test_usage_is_not_an_add_on_s_to_price(in_acme: Tenant) -> None:
    make_meter("calls", aggregation="count", unit="call")
    draft = plans.create_plan(
        code="extra", name="Extra", currency="USD", prices=[support("5"), calls("1")], kind=Plan.Kind.ADD_ON
    )
    with pytest.raises(Refused) as refused:
        versions.publish_version(version=draft, now=at("2026-01-01"))
    assert (refused.value.code, refused.value.param) == ("add_on_has_usage", "/prices/1/model")
    assert "flat fees only" in refused.value.message


@pytest.mark.parametrize("terms", [{"trial_days": 3}, {"proration": "day"}, YEARLY])
def test_an_add_on_has_no_terms_of_its_own(in_acme: Tenant, terms: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        offer(support("5"), **terms)
    assert refused.value.code == "invalid_terms"


def test_the_same_add_on_is_attached_once_at_a_time(in_acme: Tenant) -> None:
    subscription = on_a_plan()
    version = offer(support("31"))
    attach(subscription, version, at("2026-01-11"), at=at("2026-01-20"))
    with pytest.raises(Refused) as refused:
        attach(subscription, version, at("2026-01-12"))
    assert refused.value.code == "already_attached"
    row = SubscriptionAddOn.objects.get()
    row.pk, row.starts_at, row.ends_at = None, at("2026-01-15"), at("2026-01-21")
    with pytest.raises(IntegrityError, match="subscription_add_on_once_at_a_time"), transaction.atomic():
        row.save()


def test_a_row_s_version_is_one_of_its_plan(in_acme: Tenant) -> None:
    subscription = on_a_plan()
    attach(subscription, offer(support("31")), at("2026-01-11"))
    other = offer(support("1"), code="other")
    SubscriptionAddOn.objects.update(plan=other.plan)
    with pytest.raises(DatabaseError, match="version_of_plan"), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_a_quantity_that_nothing_is_multiplied_by(in_acme: Tenant) -> None:
    subscription = on_a_plan()
    with pytest.raises(Invalid) as refused:
        attach(subscription, offer(support("31")), at("2026-01-11"), quantity=2)
    assert refused.value.code == "invalid_quantity"


def test_what_is_not_attached(in_acme: Tenant) -> None:
    subscription = on_a_plan()
    version = offer(support("31", is_per_seat=True))
    with pytest.raises(Refused) as refused:
        detach(subscription, version, at("2026-01-11"))
    assert refused.value.code == "not_attached"
    attach(subscription, version, at("2026-01-11"), at=at("2026-01-20"))
    more: dict[str, Any] = {"subscription": subscription, "plan": version.plan, "when": "now"}
    with pytest.raises(Refused) as refused:
        change_add_on(**more, quantity=2, now=at("2026-01-12"))
    assert refused.value.code == "not_attached"
    with pytest.raises(Refused) as refused:
        change_add_on(**more, quantity=1, now=at("2026-01-21"))
    assert refused.value.code == "no_change"
