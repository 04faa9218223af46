"""Price books: which version of a plan a buyer is offered, and why not the others."""

from typing import Any

import pytest

from apps.catalog.models import PlanVersion, PriceBook
from apps.catalog.selectors import Buyer, lookup_order, offered_version, published_version
from apps.catalog.services import plans, versions
from apps.core import clock
from apps.core.errors import Missing
from apps.tenants.models import Tenant
from tests.harness.factories import flat, make_plan

BOOKS: dict[str, tuple[str, str, str]] = {
    "web-eu": ("web", "EU", "EUR"),
    "web": ("web", "", "EUR"),
    "eu": ("", "EU", "EUR"),
    "euro": ("", "", "EUR"),
    "partner-usd": ("partner", "", "USD"),
}


def add_version(book: PriceBook, amount: str) -> PlanVersion:
    plan = PlanVersion.objects.get(plan__code="pro", number=1).plan
    version = plans.draft_version(plan=plan, currency=book.currency, prices=[flat(amount)], price_book=book)
    return versions.publish_version(version=version, now=clock.now())


@pytest.fixture
def pro(in_acme: Tenant) -> dict[str, PlanVersion]:
    """A plan with general prices in USD and a version in each book."""
    found = {"general": make_plan("pro", [flat("20")])}
    for code, (storefront, region, currency) in BOOKS.items():
        book = PriceBook.objects.create(
            code=code, name=code, storefront=storefront, region=region, currency=currency
        )
        found[code] = add_version(book, "19")
    return found


@pytest.mark.parametrize(
    ("storefront", "region", "currency", "expected"),
    [
        ("web", "EU", "EUR", "web-eu"),  # storefront and region
        ("web", "CH", "EUR", "web"),  # then the storefront
        ("web", "", "EUR", "web"),
        ("api", "EU", "EUR", "eu"),  # then the region
        ("", "EU", "EUR", "eu"),
        ("api", "CH", "EUR", "euro"),  # then neither
        ("", "", "EUR", "euro"),
        ("partner", "EU", "USD", "partner-usd"),
        ("web", "EU", "USD", "general"),  # the currency always has to fit
        ("", "", "USD", "general"),
        ("", "", "", "euro"),  # whoever has no currency yet gets the first that fits
        ("partner", "US", "", "partner-usd"),
    ],
)
def test_the_order(
    pro: dict[str, PlanVersion], storefront: str, region: str, currency: str, expected: str
) -> None:
    buyer = Buyer(storefront, region, currency)
    assert offered_version(plan_code="pro", buyer=buyer) == pro[expected]


def test_every_candidate_says_why_it_was_not_chosen(pro: dict[str, PlanVersion]) -> None:
    rows = lookup_order(plan=pro["general"].plan, buyer=Buyer("web", "CH", "EUR"))
    assert [(str(row.version.price_book or "general"), row.is_chosen, row.reason) for row in rows] == [
        ("web-eu", False, "It is for the region EU."),
        ("web", True, ""),
        ("partner-usd", False, "It is in USD."),
        ("eu", False, "It is for the region EU."),
        ("euro", False, "A more specific one fits."),
        ("general", False, "It is in USD."),
    ]


@pytest.mark.parametrize("buyer", [Buyer("", "", "JPY"), Buyer("web", "EU", "CHF")])
def test_nothing_fits(pro: dict[str, PlanVersion], buyer: Buyer) -> None:
    with pytest.raises(Missing) as missing:
        offered_version(plan_code="pro", buyer=buyer)
    assert missing.value.code == "plan_version_not_found"


def test_the_newest_version_of_a_book_is_its_offer(pro: dict[str, PlanVersion]) -> None:
    book = PriceBook.objects.get(code="web")
    newer = add_version(book, "18")
    buyer = Buyer("web", "", "EUR")
    assert offered_version(plan_code="pro", buyer=buyer) == newer
    versions.archive_version(version=newer)
    assert offered_version(plan_code="pro", buyer=buyer) == pro["web"]
    versions.archive_version(version=pro["web"])
    assert offered_version(plan_code="pro", buyer=buyer) == pro["euro"]


def test_drafts_and_negotiated_versions_are_no_offer(pro: dict[str, PlanVersion]) -> None:
    general = pro["general"]
    plans.draft_version(plan=general.plan, currency="USD", prices=[flat("1")])
    negotiated = versions.duplicate_version(version=general, is_negotiated=True)
    versions.publish_version(version=negotiated, now=clock.now())
    assert offered_version(plan_code="pro", buyer=Buyer(currency="USD")) == general
    assert published_version(plan_code="pro") == general


def test_a_general_version_does_not_depend_on_its_number(pro: dict[str, PlanVersion]) -> None:
    """A book's version that was published later is not the general offer."""
    assert pro["general"].number == 1
    assert published_version(plan_code="pro") == pro["general"]


def test_an_unknown_plan(in_acme: Tenant) -> None:
    with pytest.raises(Missing):
        offered_version(plan_code="nothing", buyer=Buyer())


def test_a_duplicate_into_a_book_takes_its_currency(pro: dict[str, PlanVersion]) -> None:
    book: Any = PriceBook.objects.get(code="euro")
    copy = versions.duplicate_version(version=pro["general"], price_book=book)
    assert (copy.currency, copy.price_book, copy.status) == ("EUR", book, "draft")
    assert [price.flat_amount for price in copy.prices.all()] == [20]
