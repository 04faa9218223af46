"""Price books, and the page that says who sees which prices and why."""

from itertools import product
from typing import Any

import pytest

from apps.catalog.models import Plan, PlanVersion, PriceBook
from apps.catalog.selectors import Buyer
from apps.catalog.services.versions import duplicate_version, publish_version
from apps.core import clock
from apps.core.errors import Missing
from apps.customers.models import Customer
from apps.subscriptions.lookup import look_up
from apps.subscriptions.selectors import version_for
from apps.subscriptions.services.negotiate import negotiate_version
from apps.tenants.models import Tenant
from tests.admin.test_pages import page
from tests.harness.clients import Staff
from tests.harness.factories import flat, make_customer, make_plan, make_subscription

LOOKUP = page("subscriptions.subscription", "lookup")


@pytest.fixture
def general(in_acme: Tenant) -> PlanVersion:
    return make_plan("pro", [flat("49.00")])


def book_of(general: PlanVersion, code: str, **place: str) -> PlanVersion:
    book = PriceBook.objects.create(code=code, name=code.title(), **{"currency": "USD", **place})
    return publish_version(version=duplicate_version(version=general, price_book=book), now=clock.now())


@pytest.fixture
def books(general: PlanVersion) -> dict[str, PlanVersion]:
    return {
        "web-eu": book_of(general, "web-eu", storefront="web", region="EU"),
        "web": book_of(general, "web", storefront="web"),
        "eu": book_of(general, "eu", region="EU"),
        "yen": book_of(general, "yen", currency="JPY"),
    }


def looked_up(person: Staff, **asked: Any) -> list[tuple[str, str]]:
    response = person.get(LOOKUP, {"plan": Plan.objects.get(code="pro").pk, **asked})
    assert response.status_code == 200
    return [
        (str(row["book"] or "general"), "chosen" if row["is_chosen"] else row["reason"])
        for row in response.context["rows"]
    ]


def test_candidates_come_in_order_with_their_reasons(olga: Staff, books: dict[str, PlanVersion]) -> None:
    assert looked_up(olga, storefront="web", region="us", currency="usd") == [
        ("Web-Eu", "It is for the region EU."),
        ("Web", "chosen"),
        ("Eu", "It is for the region EU."),
        ("Yen", "It is in JPY."),
        ("general", "A more specific one fits."),
    ]


def test_a_customer_brings_country_and_currency(olga: Staff, books: dict[str, PlanVersion]) -> None:
    make_customer("tokyo", name="Tokyo", currency="JPY", country="JP")
    response = olga.get(LOOKUP, {"plan": Plan.objects.get().pk, "customer": "tokyo"})
    assert response.context["asked_as"] == "Tokyo, buying at any storefront, in JP, paying in JPY"
    assert response.context["answer"].chosen == books["yen"]


def test_negotiated_prices_come_first(olga: Staff, general: PlanVersion) -> None:
    customer = make_customer("big", name="Big")
    mine = publish_version(version=negotiate_version(customer=customer, version=general), now=clock.now())
    response = olga.get(LOOKUP, {"plan": general.plan_id, "customer": "big"})
    assert [(row["version"], row["reason"]) for row in response.context["rows"]] == [
        (mine, ""),
        (general, "The customer's negotiated prices come first."),
    ]


def test_what_can_not_be_read_is_said(olga: Staff, general: PlanVersion) -> None:
    response = olga.get(
        LOOKUP, {"plan": general.plan_id, "currency": "XXX", "customer": "nobody", "storefront": "moon"}
    )
    assert set(response.context["form"].errors) == {"currency", "customer", "storefront"}
    assert olga.get(LOOKUP, {"plan": "x"}).status_code == 200
    assert olga.get(LOOKUP).status_code == 200


def test_a_reader_may_look_up(reader: Staff, general: PlanVersion) -> None:
    assert reader.get(LOOKUP, {"plan": general.plan_id}).status_code == 200
    reader.user.groups.clear()
    assert reader.get(LOOKUP, {"plan": general.plan_id}).status_code == 403


@pytest.mark.parametrize(
    "buyer", [Buyer(*place) for place in product(["", "web", "api"], ["", "EU"], ["USD", "JPY", "EUR"])]
)
@pytest.mark.parametrize("is_subscribed", [False, True])
@pytest.mark.parametrize("is_negotiated", [False, True])
def test_the_page_says_what_a_subscription_gets(
    books: dict[str, PlanVersion],
    general: PlanVersion,
    buyer: Buyer,
    is_subscribed: bool,
    is_negotiated: bool,
) -> None:
    customer = make_customer("someone", currency=buyer.currency, country="DE")
    if is_subscribed:
        make_subscription(customer, make_plan("other", [flat("1")], currency=buyer.currency))
    if is_negotiated:
        publish_version(version=negotiate_version(customer=customer, version=general), now=clock.now())
    customer = Customer.objects.get(pk=customer.pk)
    answer = look_up(plan=general.plan, buyer=buyer, customer=customer)
    try:
        wanted = version_for(
            customer=customer, plan_code="pro", storefront=buyer.storefront, region=buyer.region
        )
    except Missing:
        wanted = None
    assert answer.chosen == wanted
    assert all(row.reason for row in answer.rows if not row.is_chosen)


def test_a_book_is_made_and_stays_where_it_is(olga: Staff, general: PlanVersion) -> None:
    form = {"name": "Europe", "code": "europe", "storefront": "web", "region": "EU", "currency": "EUR"}
    assert olga.post(page("catalog.pricebook", "add"), form).status_code == 302
    book = PriceBook.objects.get()
    again = olga.post(page("catalog.pricebook", "add"), form | {"code": "europe-2"})
    assert "Another price book is for this storefront" in again.content.decode()
    duplicate_version(version=general, price_book=book)
    olga.post(
        page("catalog.pricebook", "change", book.pk), form | {"name": "EU", "currency": "USD", "region": "US"}
    )
    book.refresh_from_db()
    assert (book.name, book.currency, book.region) == ("EU", "EUR", "EU")


def test_a_reader_makes_no_book(reader: Staff, in_acme: Tenant) -> None:
    form = {"name": "Europe", "code": "europe", "storefront": "web", "region": "EU", "currency": "EUR"}
    assert reader.post(page("catalog.pricebook", "add"), form).status_code == 403
    assert not PriceBook.objects.exists()


def test_products_and_features_are_made(olga: Staff, in_acme: Tenant) -> None:
    for model in ("product", "feature"):
        form = {"name": "Thing", "code": "thing", "description": "", "meter": ""}
        response = olga.post(page(f"catalog.{model}", "add"), form)
        assert response.status_code == 302, response.context["errors"]
        assert olga.get(page(f"catalog.{model}", "changelist")).status_code == 200


# Subscribing


def subscription_form(customer: Customer, **fields: Any) -> dict[str, Any]:
    return {
        "customer": customer.pk, "plan": "", "storefront": "", "region": "", "plan_version": "",
        "started_at_0": "2026-11-01", "started_at_1": "00:00:00", "billing_anchor": "calendar", **fields,
    }  # fmt: skip


def test_a_subscription_gets_what_the_look_up_says(
    olga: Staff, books: dict[str, PlanVersion], general: PlanVersion
) -> None:
    customer = make_customer("buyer", country="EU")
    form = subscription_form(customer, plan=general.plan_id, storefront="web")
    response = olga.post(page("subscriptions.subscription", "add"), form)
    assert response.status_code == 302, response.context["errors"]
    assert customer.subscriptions.get().plan_version == books["web-eu"]
    content = olga.get(response.headers["Location"]).content.decode()
    assert "Timeline" in content
    assert "Current" in content


def test_a_certain_version_wins(olga: Staff, books: dict[str, PlanVersion], general: PlanVersion) -> None:
    customer = make_customer("buyer", country="EU")
    form = subscription_form(customer, plan=general.plan_id, storefront="web", plan_version=general.pk)
    assert olga.post(page("subscriptions.subscription", "add"), form).status_code == 302
    assert customer.subscriptions.get().plan_version == general


def test_nothing_on_offer_is_said_at_the_plan(olga: Staff, general: PlanVersion) -> None:
    customer = make_customer("buyer")
    make_subscription(customer, make_plan("other", [flat("1")], currency="JPY"))
    for fields in ({}, {"plan": general.plan_id}):
        response = olga.post(page("subscriptions.subscription", "add"), subscription_form(customer, **fields))
        assert set(response.context["adminform"].form.errors) == {"plan"}
