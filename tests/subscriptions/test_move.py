"""What becomes of those on older versions, and prices negotiated with one customer."""

from datetime import UTC, datetime
from typing import Any

import pytest

from apps.audit.models import AuditEntry
from apps.catalog.models import PlanVersion, PriceBook
from apps.catalog.services import plans, versions
from apps.catalog.services.plans import NewPrice
from apps.core.errors import Refused
from apps.invoices.models import Invoice
from apps.invoices.services.close_periods import close_due_periods
from apps.subscriptions.models import NegotiatedVersion, Subscription
from apps.subscriptions.selectors import version_for
from apps.subscriptions.services.change_subscription import change_subscription
from apps.subscriptions.services.move import move_to_version
from apps.subscriptions.services.negotiate import negotiate_version
from apps.subscriptions.services.subscribe import subscribe
from apps.tenants.models import Tenant
from tests.harness.clients import Api
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import flat, make_customer, make_meter, make_plan, make_subscription, per_unit

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
MIDDLE = datetime(2026, 1, 16, 12, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)

Phases = list[tuple[int, datetime, datetime | None]]


def phases(subscription: Subscription) -> Phases:
    return [(one.plan_version.number, one.starts_at, one.ends_at) for one in subscription.phases.all()]


def next_version(
    version: PlanVersion, existing: str, *, prices: list[NewPrice] | None = None, **more: Any
) -> PlanVersion:
    draft = plans.draft_version(
        plan=version.plan, currency=more.pop("currency", "USD"), prices=prices or [flat("40")], **more
    )
    return versions.publish_version(version=draft, now=MIDDLE, existing=existing)


@pytest.fixture
def old(in_acme: Tenant) -> Subscription:
    return make_subscription(plan_version=make_plan("pro", [flat("20")]))


@pytest.mark.parametrize(
    ("existing", "expected", "current"),
    [
        ("keep", [(1, JANUARY, None)], 1),
        ("at_renewal", [(1, JANUARY, FEBRUARY), (2, FEBRUARY, None)], 1),
        ("now", [(1, JANUARY, MIDDLE), (2, MIDDLE, None)], 2),
    ],
)
def test_the_three_answers(old: Subscription, existing: str, expected: Phases, current: int) -> None:
    next_version(old.plan_version, existing)
    old.refresh_from_db()
    assert phases(old) == expected
    assert old.plan_version.number == current
    published = AuditEntry.objects.filter(action="plan_version.published").order_by("id").last()
    assert published.changes["existing"] == existing
    assert published.changes["subscriptions_moved"] == (0 if existing == "keep" else 1)


def test_the_api_passes_the_answer_on(old: Subscription, acme_api: Api) -> None:
    body = {"code": "base", "name": "Base fee", "model": "flat", "flat_amount": "40"}
    acme_api.post("/plans/pro/versions", {"prices": [body]})
    assert acme_api.post("/plans/pro/versions/2/publish", {"existing": "now"}).status_code == 200
    assert [number for number, _, _ in phases(old)] == [1, 2]


def test_at_renewal_becomes_the_version_when_the_period_is_closed(old: Subscription) -> None:
    next_version(old.plan_version, "at_renewal")
    close_due_periods(FEBRUARY)
    old.refresh_from_db()
    assert old.plan_version.number == 2


def test_a_later_answer_replaces_an_earlier_one(old: Subscription) -> None:
    next_version(old.plan_version, "at_renewal")
    next_version(old.plan_version, "now")
    assert phases(old) == [(1, JANUARY, MIDDLE), (3, MIDDLE, None)]


def test_phases_tile_whatever_happens(old: Subscription) -> None:
    for existing in ("at_renewal", "now", "keep", "now", "at_renewal"):
        next_version(old.plan_version, existing)
        found = phases(old)
        assert found[0][1] == JANUARY
        assert found[-1][2] is None
        assert [end for _, _, end in found[:-1]] == [start for _, start, _ in found[1:]]


def test_what_is_billed_is_billed(old: Subscription) -> None:
    """A move never begins before the cursor."""
    close_due_periods(FEBRUARY)
    next_version(old.plan_version, "now")
    assert phases(old) == [(1, JANUARY, FEBRUARY), (2, FEBRUARY, None)]


def test_a_period_that_is_over_and_not_billed_yet_stays_as_it_was(old: Subscription) -> None:
    draft = plans.draft_version(plan=old.plan_version.plan, currency="USD", prices=[flat("40")])
    march = datetime(2026, 3, 1, tzinfo=UTC)
    versions.publish_version(version=draft, now=datetime(2026, 2, 10, tzinfo=UTC), existing="at_renewal")
    assert phases(old) == [(1, JANUARY, march), (2, march, None)]


@pytest.mark.parametrize(("existing", "moved"), [("at_renewal", 0), ("now", 1)])
def test_who_is_about_to_leave_the_plan_leaves_it_all_the_same(
    old: Subscription, existing: str, moved: int
) -> None:
    """Pro costs 20 and then 40, lite 5. Chosen on the 10th for February, lite is what February is billed for."""
    lite = make_plan("lite", [flat("5")])
    change_subscription(
        subscription=old, plan_version=lite, when="period_end", now=datetime(2026, 1, 10, tzinfo=UTC)
    )
    next_version(old.plan_version, existing)
    pro = [("pro", 1)] if existing == "at_renewal" else [("pro", 1), ("pro", 2)]
    found = [(one.plan_version.plan.code, one.plan_version.number) for one in old.phases.all()]
    assert found == [*pro, ("lite", 1)]
    assert old.phases.get(plan_version=lite).starts_at == FEBRUARY
    published = AuditEntry.objects.filter(action="plan_version.published").order_by("id").last()
    assert published.changes["subscriptions_moved"] == moved
    for _ in range(2):
        close_due_periods(datetime(2026, 3, 1, tzinfo=UTC))
    assert Invoice.objects.get(period_start=FEBRUARY).total == 5


def test_other_offers_are_left_alone(old: Subscription) -> None:
    """Another plan, another book, another currency, a negotiated version, an ended subscription."""
    plan = old.plan_version.plan
    book = PriceBook.objects.create(code="web", name="Web", storefront="web", currency="USD")
    in_book = versions.publish_version(
        version=plans.draft_version(plan=plan, currency="USD", prices=[flat("1")], price_book=book),
        now=JANUARY,
    )
    in_euro = versions.publish_version(
        version=plans.draft_version(plan=plan, currency="EUR", prices=[flat("1")]), now=JANUARY
    )
    one, two, three, four, five = (make_customer(name) for name in ("one", "two", "three", "four", "five"))
    negotiated = versions.publish_version(
        version=negotiate_version(customer=three, version=old.plan_version), now=JANUARY
    )
    others = [
        make_subscription(one, in_book),
        make_subscription(two, in_euro),
        make_subscription(three, negotiated),
        make_subscription(four, make_plan("other", [flat("1")])),
        make_subscription(five, old.plan_version),
    ]
    Subscription.objects.filter(pk=others[-1].pk).update(status="ended")
    next_version(old.plan_version, "now")
    assert len(phases(old)) == 2
    assert [len(phases(other)) for other in others] == [1, 1, 1, 1, 1]


def test_a_new_version_in_a_book_moves_those_in_the_book(old: Subscription) -> None:
    plan = old.plan_version.plan
    book = PriceBook.objects.create(code="web", name="Web", storefront="web", currency="USD")
    first = next_version(old.plan_version, "keep", price_book=book)
    inside = make_subscription(make_customer("inside"), first)
    next_version(old.plan_version, "now", price_book=book)
    assert (len(phases(inside)), len(phases(old))) == (2, 1)
    assert plan.versions.count() == 3


def test_a_move_that_would_bill_a_meter_twice_is_refused(in_acme: Tenant) -> None:
    """Publishing is refused as a whole: half of the subscribers moved would be worse."""
    for name in ("input_tokens", "output_tokens"):
        make_meter(name)
    pro = make_plan("pro", [per_unit("input_tokens", "1")])
    extra = make_plan("extra", [per_unit("output_tokens", "1")])
    customer, other = make_customer(), make_customer("other")
    make_subscription(other, pro)
    make_subscription(customer, pro)
    make_subscription(customer, extra)
    draft = plans.draft_version(
        plan=pro.plan, currency="USD", prices=[per_unit("input_tokens", "1"), per_unit("output_tokens", "1")]
    )
    for existing in ("now", "at_renewal"):
        with nothing_changes_in("acme"), pytest.raises(Refused) as refused:
            versions.publish_version(version=draft, now=MIDDLE, existing=existing)
        assert refused.value.code == "meter_billed_elsewhere"
    assert versions.publish_version(version=draft, now=MIDDLE, existing="keep").status == "published"


def test_a_meter_that_will_be_billed_is_taken_too(in_acme: Tenant) -> None:
    make_meter("input_tokens")
    old = make_subscription(plan_version=make_plan("pro", [flat("20")]))
    next_version(old.plan_version, "at_renewal", prices=[per_unit("input_tokens", "1")])
    extra = make_plan("extra", [per_unit("input_tokens", "1")])
    with nothing_changes_in("acme"), pytest.raises(Refused) as refused:
        subscribe(customer=old.customer, plan_version=extra, started_at=MIDDLE, now=MIDDLE)
    assert refused.value.code == "meter_billed_elsewhere"


def test_a_meter_that_was_given_up_is_free_again(in_acme: Tenant) -> None:
    make_meter("input_tokens")
    old = make_subscription(plan_version=make_plan("pro", [per_unit("input_tokens", "1")]))
    next_version(old.plan_version, "now")
    extra = make_plan("extra", [per_unit("input_tokens", "1")])
    with pytest.raises(Refused):
        subscribe(customer=old.customer, plan_version=extra, started_at=JANUARY, now=MIDDLE)
    assert subscribe(customer=old.customer, plan_version=extra, started_at=MIDDLE, now=MIDDLE).pk


def fee(amount: str, code: str, timing: str) -> NewPrice:
    return NewPrice(code=code, name=code, model="flat", flat_amount=amount, billing_timing=timing)


def test_a_subscription_replaced_at_its_start_opens_as_the_new_version(in_acme: Tenant) -> None:
    """It begins in the future, or just now: the opening is the new version's, and is billed once."""
    subscription = make_subscription(plan_version=make_plan("pro", [flat("20")]), started_at=FEBRUARY)
    assert subscription.opening_due_at is None
    draft = plans.draft_version(
        plan=subscription.plan_version.plan, currency="USD", prices=[fee("5", "setup", "once")]
    )
    versions.publish_version(version=draft, now=JANUARY, existing="now")
    subscription.refresh_from_db()
    assert (phases(subscription), subscription.opening_due_at) == ([(2, FEBRUARY, None)], FEBRUARY)
    without = plans.draft_version(plan=draft.plan, currency="USD", prices=[flat("1")])
    versions.publish_version(version=without, now=JANUARY, existing="now")
    subscription.refresh_from_db()
    assert subscription.opening_due_at is None


# --- Negotiated


def negotiated_for(customer: Any, version: PlanVersion) -> PlanVersion:
    return versions.publish_version(
        version=negotiate_version(customer=customer, version=version), now=JANUARY
    )


def test_a_negotiated_version_comes_before_any_book_and_only_for_its_customer(in_acme: Tenant) -> None:
    general = make_plan("pro", [flat("20")])
    book = PriceBook.objects.create(code="web", name="Web", storefront="web", currency="USD")
    in_book = next_version(general, "keep", price_book=book)
    mine, other = make_customer("mine"), make_customer("other")
    version = negotiated_for(mine, general)
    for storefront in ("", "web"):
        assert version_for(customer=mine, plan_code="pro", storefront=storefront) == version
    assert version_for(customer=other, plan_code="pro") == general
    assert version_for(customer=other, plan_code="pro", storefront="web") == in_book
    with nothing_changes_in("acme"), pytest.raises(Refused) as refused:
        make_subscription(other, version)
    assert refused.value.code == "negotiated_for_another"
    assert make_subscription(mine, version).plan_version == version


def test_a_negotiated_draft_is_no_offer_yet_and_an_archived_one_no_more(in_acme: Tenant) -> None:
    general = make_plan("pro", [flat("20")])
    customer = make_customer()
    draft = negotiate_version(customer=customer, version=general)
    assert version_for(customer=customer, plan_code="pro") == general
    version = versions.publish_version(version=draft, now=JANUARY)
    assert version_for(customer=customer, plan_code="pro") == version
    versions.archive_version(version=version)
    assert version_for(customer=customer, plan_code="pro") == general


def test_a_negotiated_version_moves_its_customer_and_nobody_else(old: Subscription) -> None:
    other = make_subscription(make_customer("other"), old.plan_version)
    draft = negotiate_version(customer=old.customer, version=old.plan_version)
    versions.publish_version(version=draft, now=MIDDLE, existing="now")
    assert phases(old) == [(1, JANUARY, MIDDLE), (2, MIDDLE, None)]
    assert phases(other) == [(1, JANUARY, None)]


@pytest.mark.parametrize("existing", ["now", "at_renewal"])
def test_a_negotiated_version_that_is_still_to_come_is_not_replaced(old: Subscription, existing: str) -> None:
    draft = negotiate_version(customer=old.customer, version=old.plan_version)
    versions.publish_version(version=draft, now=MIDDLE, existing="at_renewal")
    next_version(old.plan_version, existing)
    assert phases(old) == [(1, JANUARY, FEBRUARY), (2, FEBRUARY, None)]


def test_the_copy_is_made_of_everything(in_acme: Tenant) -> None:
    make_meter("tokens", dimensions=["model"])
    tiers = [{"up_to": "10", "unit_amount": "1", "flat_amount": "2"}, {"up_to": None, "unit_amount": "0.5"}]
    price = NewPrice(
        code="tokens", name="T", model="volume", meter="tokens", filters={"model": ["x", "y"]},
        more={"tiers": tiers, "convert": {"divide_by": "1000", "rounding": "up"}},
    )  # fmt: skip
    general = make_plan("pro", [price, flat("20")])
    copy = negotiate_version(customer=make_customer(), version=general)
    assert versions_are_alike(general, copy)
    assert general.prices.count() == 2
    assert (copy.is_negotiated, copy.price_book, copy.number) == (True, None, 2)


def versions_are_alike(one: PlanVersion, other: PlanVersion) -> bool:
    def content(version: PlanVersion) -> list[Any]:
        return [
            (
                price.code, price.definition_fields(), price.position,
                [(tier.up_to, tier.unit_amount, tier.flat_amount) for tier in price.tiers.all()],
                [(found.dimension, found.values) for found in price.filters.all()],
            )
            for price in version.prices.all()
        ]  # fmt: skip

    return content(one) == content(other)


def test_a_negotiated_draft_may_be_thrown_away_and_stands_in_no_book(
    old: Subscription, acme_api: Api
) -> None:
    PriceBook.objects.create(code="web", name="Web", storefront="web", currency="USD")
    negotiate_version(customer=old.customer, version=old.plan_version)
    body = {"prices": [{"code": "base", "name": "B", "model": "flat", "flat_amount": "1"}]}
    with nothing_changes_in("acme"):
        response = acme_api.put("/plans/pro/versions/2", body | {"price_book": "web"})
    assert (response.status_code, response.json()["param"]) == (400, "/price_book")
    assert acme_api.put("/plans/pro/versions/2", body).json()["is_negotiated"] is True
    assert acme_api.delete("/plans/pro/versions/2").status_code == 204
    assert not NegotiatedVersion.objects.exists()


# --- The customer's currency


@pytest.fixture
def priced_twice(in_acme: Tenant) -> PlanVersion:
    general = make_plan("pro", [flat("20")])
    book = PriceBook.objects.create(code="eu", name="EU", region="DE", currency="EUR")
    return next_version(general, "keep", currency="EUR", price_book=book)


def test_the_first_subscription_fixes_the_currency(priced_twice: PlanVersion, acme_api: Api) -> None:
    customer = make_customer(country="DE")
    assert customer.currency == "USD", "a wish until there is a subscription"
    assert version_for(customer=customer, plan_code="pro").currency == "USD"
    customer = make_customer("euro", currency="EUR", country="DE")
    response = acme_api.post("/subscriptions", {"customer": "euro", "plan": "pro"})
    assert (response.status_code, response.json()["plan_version"]) == (201, priced_twice.number)
    make_plan("extra", [flat("1")])
    response = acme_api.post("/subscriptions", {"customer": "euro", "plan": "extra"})
    assert (response.status_code, response.json()["code"]) == (404, "plan_version_not_found")
    response = acme_api.post("/subscriptions", {"customer": "euro", "plan": "extra", "version": 1})
    assert (response.status_code, response.json()["code"]) == (400, "currency_mismatch")


def test_a_wish_that_nothing_fulfils_gives_way_once(priced_twice: PlanVersion, acme_api: Api) -> None:
    make_customer("yen", currency="JPY")
    response = acme_api.post("/subscriptions", {"customer": "yen", "plan": "pro"})
    assert response.status_code == 201
    assert acme_api.get("/customers/yen").json()["currency"] == "USD"


def test_a_move_keeps_to_the_row_it_was_given(old: Subscription) -> None:
    version = next_version(old.plan_version, "keep")
    move_to_version(subscription=old, version=version, starts_at=MIDDLE)
    move_to_version(subscription=old, version=version, starts_at=MIDDLE)
    assert phases(old) == [(1, JANUARY, MIDDLE), (2, MIDDLE, None)]
