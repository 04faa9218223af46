"""A version's life: drafted, compared, published with an answer about those on the old one, archived."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.catalog.admin.diff import difference_between
from apps.catalog.admin.plan import with_prices
from apps.catalog.models import Plan, PlanVersion, PriceBook
from apps.catalog.services.plans import NewPrice
from apps.catalog.services.versions import duplicate_version, publish_version
from apps.core import clock
from apps.subscriptions.models import NegotiatedVersion, Subscription
from apps.subscriptions.services.negotiate import negotiate_version
from apps.tenants.models import Tenant
from tests.admin.test_actions import told
from tests.admin.test_pages import page
from tests.harness.clients import Staff
from tests.harness.factories import flat, make_customer, make_meter, make_plan, make_subscription


def tiered(second: str = "0.005", **fields: object) -> NewPrice:
    tiers = [{"up_to": "1000", "unit_amount": "0.01"}, {"up_to": None, "unit_amount": second}]
    return NewPrice(
        code="usage", name="Usage", model="graduated", meter="tokens", more={"tiers": tiers}, **fields
    )  # type: ignore[arg-type]


@pytest.fixture
def first(in_acme: Tenant) -> PlanVersion:
    """Published, with a customer on it."""
    make_meter("tokens", dimensions=["model"])
    version = make_plan("pro", [flat("49.00"), tiered()])
    make_subscription(make_customer("chat", name="Chat"), version, started_at=clock.now() - timedelta(days=3))
    return version


@pytest.fixture
def second(first: PlanVersion) -> PlanVersion:
    return duplicate_version(version=first)


def action(version: PlanVersion, name: str) -> str:
    return page("catalog.planversion", name, version.pk)


# Publishing


def test_publishing_asks_about_those_on_the_old_version(olga: Staff, second: PlanVersion) -> None:
    content = olga.get(action(second, "publish")).content.decode()
    for words in ("Publish Pro v2?", "On older versions", "1 subscription", "They keep their version"):
        assert words in content


@pytest.mark.parametrize(("answer", "number"), [("keep", 1), ("at_renewal", 1), ("now", 2)])
def test_those_on_the_old_version_do_as_was_answered(
    olga: Staff, second: PlanVersion, answer: str, number: int
) -> None:
    response = olga.post(action(second, "publish"), {"existing": answer})
    assert "is published and on offer" in told(response)[-1]
    subscription = Subscription.objects.select_related("plan_version").get()
    assert subscription.plan_version.number == number
    phases = list(subscription.phases.values_list("plan_version__number", flat=True))
    assert phases == ([1] if answer == "keep" else [1, 2])


def test_the_number_shown_is_the_number_moved(olga: Staff, second: PlanVersion) -> None:
    shown = olga.get(action(second, "publish")).context["question"].facts["On older versions"]
    olga.post(action(second, "publish"), {"existing": "now"})
    moved = Subscription.objects.filter(plan_version=second).count()
    assert shown == f"{moved} subscription"


def test_an_unknown_answer_publishes_nothing(olga: Staff, second: PlanVersion) -> None:
    assert olga.post(action(second, "publish"), {"existing": "tomorrow"}).status_code == 200
    second.refresh_from_db()
    assert second.is_draft


def test_nobody_is_asked_about_when_nobody_is_there(olga: Staff, in_acme: Tenant) -> None:
    draft = make_plan("lonely", [flat("1")], publish=False)
    assert "They keep" not in olga.get(action(draft, "publish")).content.decode()
    olga.post(action(draft, "publish"))
    draft.refresh_from_db()
    assert draft.status == "published"


def test_a_version_without_prices_is_not_published(olga: Staff, in_acme: Tenant) -> None:
    draft = make_plan("empty", [], publish=False)
    assert "no prices yet" in told(olga.post(action(draft, "publish")))[-1]
    draft.refresh_from_db()
    assert draft.is_draft


def test_what_is_wrong_with_a_price_is_said_by_its_name(olga: Staff, second: PlanVersion) -> None:
    usage = second.prices.get(code="usage")
    second.prices.create(
        code="twin", name="Twin", model="per_unit", meter=usage.meter, unit_amount=1, position=9
    )
    response = olga.post(action(second, "publish"), {"existing": "keep"})
    assert told(response) == ["Twin: A price before it takes the same usage."]


def test_a_published_version_can_not_be_edited_by_a_crafted_request(olga: Staff, first: PlanVersion) -> None:
    assert olga.post(page("catalog.planversion", "change", first.pk), {"currency": "EUR"}).status_code == 403
    assert "is published" in told(olga.post(action(first, "discard")))[-1]
    assert "is published" in told(olga.post(action(first, "publish"), {"existing": "now"}))[-1]
    first.refresh_from_db()
    assert (first.currency, first.prices.count()) == ("USD", 2)


# Duplicating, negotiating, discarding


def test_a_version_is_duplicated_into_a_book(olga: Staff, first: PlanVersion) -> None:
    book = PriceBook.objects.create(code="eu", name="Europe", region="EU", currency="EUR")
    assert "Europe" in olga.get(action(first, "copy")).content.decode()
    response = olga.post(action(first, "copy"), {"price_book": book.pk})
    copy = PlanVersion.objects.get(number=2)
    assert response.headers["Location"] == page("catalog.planversion", "change", copy.pk)
    assert (copy.price_book, copy.currency, copy.status) == (book, "EUR", "draft")
    assert copy.prices.get(code="usage").tiers.count() == 2


def drafted_from(olga: Staff, plan: Plan) -> str:
    """Where "Draft a new version" on a plan's page leads."""
    return str(olga.get(page("catalog.plan", "draft_version", plan.pk)).headers["Location"])


def test_a_new_version_starts_from_what_is_on_offer(olga: Staff, first: PlanVersion) -> None:
    """Neither from a newer draft nor from a book's prices, and not from what one customer negotiated."""
    book = PriceBook.objects.create(code="eu", name="Europe", region="EU", currency="EUR")
    publish_version(version=duplicate_version(version=first, price_book=book), now=clock.now())
    duplicate_version(version=first)
    negotiated = negotiate_version(customer=make_customer("big", name="Big"), version=first)
    publish_version(version=negotiated, now=clock.now())
    assert drafted_from(olga, first.plan) == action(first, "copy")


def test_without_an_offer_a_new_version_starts_from_the_newest_general_one(
    olga: Staff, second: PlanVersion
) -> None:
    PlanVersion.objects.filter(number=1).update(status="archived")
    book = PriceBook.objects.create(code="eu", name="Europe", region="EU", currency="EUR")
    publish_version(version=duplicate_version(version=second, price_book=book), now=clock.now())
    negotiate_version(customer=make_customer("big"), version=second)
    assert drafted_from(olga, second.plan) == action(second, "copy")


def test_a_new_version_never_starts_from_negotiated_prices(olga: Staff, in_acme: Tenant) -> None:
    draft = make_plan("pro", [flat("49.00")], publish=False)
    book = PriceBook.objects.create(code="eu", name="Europe", region="EU", currency="EUR")
    of_book = duplicate_version(version=draft, price_book=book)
    negotiate_version(customer=make_customer("big"), version=draft)
    olga.post(action(draft, "discard"))
    assert drafted_from(olga, draft.plan) == action(of_book, "copy")
    olga.post(action(of_book, "discard"))
    response = olga.get(page("catalog.plan", "draft_version", draft.plan_id))
    assert response.headers["Location"] == page("catalog.plan", "change", draft.plan_id)
    assert told(response)[-1].startswith("Pro has no version of its own, only customers'.")


def test_the_page_of_a_copy_says_whose_prices_they_are(olga: Staff, first: PlanVersion) -> None:
    negotiated = negotiate_version(customer=make_customer("big", name="Big"), version=first)
    content = olga.get(action(negotiated, "copy")).content.decode()
    for words in ("Pro v2 · Draft", "One customer · Negotiated with Big"):
        assert words in content
    assert "General offer · 1 active subscription" in olga.get(action(first, "copy")).content.decode()


def test_prices_are_negotiated_with_a_customer(olga: Staff, first: PlanVersion) -> None:
    customer = make_customer("big", name="Big")
    add = f"{page('subscriptions.negotiatedversion', 'add')}?plan_version={first.pk}"
    assert add in olga.get(page("catalog.planversion", "change", first.pk)).content.decode()
    response = olga.post(add, {"customer": customer.pk, "plan_version": first.pk})
    negotiated = NegotiatedVersion.objects.get()
    copy = negotiated.plan_version
    assert response.headers["Location"] == page("catalog.planversion", "change", copy.pk)
    assert (negotiated.customer, copy.is_negotiated, copy.number) == (customer, True, 2)
    content = olga.get(page("catalog.planversion", "change", copy.pk)).content.decode()
    assert "Negotiated with" in content
    assert "Big" in content
    listed = olga.get(page("catalog.plan", "change", first.plan_id)).content.decode()
    assert "Negotiated with Big" in listed
    assert "1 active subscription" in listed


def test_publishing_negotiated_prices_asks_about_their_customer(olga: Staff, first: PlanVersion) -> None:
    customer = Subscription.objects.get().customer
    copy = negotiate_version(customer=customer, version=first)
    assert "On what it replaces" in olga.get(action(copy, "publish")).content.decode()
    olga.post(action(copy, "publish"), {"existing": "now"})
    assert Subscription.objects.get().plan_version == copy


def test_a_draft_is_discarded(olga: Staff, second: PlanVersion) -> None:
    assert "Discard Pro v2?" in olga.get(action(second, "discard")).content.decode()
    response = olga.post(action(second, "discard"))
    assert response.headers["Location"] == page("catalog.plan", "change", second.plan_id)
    assert not PlanVersion.objects.filter(pk=second.pk).exists()


def test_a_negotiated_draft_is_discarded(olga: Staff, first: PlanVersion) -> None:
    copy = negotiate_version(customer=make_customer("big"), version=first)
    olga.post(action(copy, "discard"))
    assert not NegotiatedVersion.objects.exists()


def test_archiving_takes_it_off_offer(olga: Staff, first: PlanVersion) -> None:
    assert told(olga.post(action(first, "archive")))[-1] == "Pro v1 is off offer."


def test_a_book_gives_its_currency(olga: Staff, first: PlanVersion) -> None:
    book = PriceBook.objects.create(code="eu", name="Europe", region="EU", currency="EUR")
    copy = duplicate_version(version=first, price_book=book)
    olga.post(page("catalog.planversion", "change", copy.pk), {"currency": "USD"})
    copy.refresh_from_db()
    assert copy.currency == "EUR"
    wrong = {"name": "X", "code": "x", "description": "", "currency": "USD", "price_book": book.pk}
    response = olga.post(page("catalog.plan", "add"), wrong)
    assert response.context["adminform"].form.errors == {"currency": ["The price book Europe is in EUR."]}
    response = olga.post(page("catalog.plan", "add"), wrong | {"currency": "EUR"})
    assert PlanVersion.objects.get(plan__code="x").price_book == book


# Comparing


def test_what_changed_is_told_in_words(olga: Staff, second: PlanVersion) -> None:
    second.prices.filter(code="base").delete()
    usage = second.prices.get(code="usage")
    usage.tiers.filter(up_to=None).update(unit_amount=Decimal("0.004"))
    usage.filters.create(dimension="model", values=["gpt-5"])
    second.prices.create(
        code="setup", name="Setup", model="flat", flat_amount=10, billing_timing="once", position=2
    )
    first = PlanVersion.objects.get(number=1)
    found = difference_between(with_prices(first), with_prices(second))
    assert [(one.price.code, one.facts["Fee"]) for one in found.added] == [("setup", "USD 10.00")]
    assert [one.price.code for one in found.removed] == ["base"]
    (changed,) = found.changed
    assert [(change.name, change.old, change.new) for change in changed.changes] == [
        ("Only where model is", "–", "gpt-5"),
        ("Tier 2", "beyond: USD 0.005 per token", "beyond: USD 0.004 per token"),
    ]
    content = olga.get(action(second, "compare"), follow=True).content.decode()
    for words in ("Changed", "Added", "Removed", "beyond: USD 0.004 per token", "USD 49.00"):
        assert words in content


def test_equal_versions_have_no_difference(olga: Staff, second: PlanVersion) -> None:
    response = olga.get(page("catalog.plan", "compare", second.plan_id))
    assert response.context["difference"].is_empty
    assert (response.context["old"].number, response.context["new"].number) == (1, 2)


@pytest.mark.parametrize(
    "query", ["?old=2&new=1", "?old=1&new=1", "?old=x&new=99", "?new=" + "9" * 40, "?old=-1"]
)
def test_any_two_versions_can_be_compared(olga: Staff, second: PlanVersion, query: str) -> None:
    assert olga.get(page("catalog.plan", "compare", second.plan_id) + query).status_code == 200


def test_a_plan_with_one_version_has_nothing_to_compare(olga: Staff, first: PlanVersion) -> None:
    assert olga.get(page("catalog.plan", "compare", first.plan_id)).status_code == 200
    assert "Choose two" not in olga.get(page("catalog.plan", "change", first.plan_id)).content.decode()
    assert olga.get(page("catalog.plan", "compare", 999_999)).status_code == 404


# Permissions and cost


def test_a_reader_runs_no_action_on_versions(reader: Staff, second: PlanVersion) -> None:
    for name in ("publish", "copy", "archive", "discard"):
        assert reader.get(action(second, name)).status_code == 403, name
        assert reader.post(action(second, name), {"existing": "now"}).status_code == 403, name
    assert reader.get(page("catalog.plan", "compare", second.plan_id)).status_code == 200
    assert reader.get(page("subscriptions.negotiatedversion", "add")).status_code == 403
    assert reader.post(page("subscriptions.negotiatedversion", "add"), {}).status_code == 403
    second.refresh_from_db()
    assert second.is_draft


def test_pages_of_the_catalog_cost_the_same_however_much_there_is(olga: Staff, second: PlanVersion) -> None:
    plan: Plan = second.plan
    urls = [
        page("catalog.planversion", "change", second.pk),
        page("catalog.planversion", "publish", second.pk),
        page("catalog.plan", "change", plan.pk),
        page("catalog.plan", "compare", plan.pk),
        page("catalog.pricebook", "changelist"),
        page("subscriptions.negotiatedversion", "changelist"),
    ]

    def costs() -> dict[str, int]:
        found = {}
        for url in urls:
            with CaptureQueriesContext(connection) as captured:
                assert olga.get(url).status_code == 200
            found[url] = len(captured)
        return found

    NegotiatedVersion.objects.create(
        customer=make_customer("n0"), plan_version=duplicate_version(version=second, is_negotiated=True)
    )
    costs()
    before = costs()
    for index in range(5):
        meter = make_meter(f"m{index}")
        price = second.prices.create(
            code=f"p{index}", name=f"P{index}", model="graduated", meter=meter, position=5 + index
        )
        price.tiers.create(up_to=None, unit_amount=1)
        book = PriceBook.objects.create(
            code=f"b{index}", name=f"B{index}", region=f"R{index}", currency="USD"
        )
        publish_version(version=duplicate_version(version=second, price_book=book), now=clock.now())
        negotiate_version(customer=make_customer(f"n{index + 1}"), version=second)
    assert costs() == before
    assert max(before.values()) <= 20
