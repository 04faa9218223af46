"""A plan is built, tried out, published and then stands: as Olga does it."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.admin.business import Business

pytestmark = pytest.mark.browser


def aside(page: Page) -> Locator:
    return page.locator("#price-preview")


def amount_at(page: Page, quantity: str) -> Locator:
    return aside(page).locator(".ch-ladder tr", has=page.get_by_role("cell", name=quantity, exact=True))


def fill(page: Page, **fields: str) -> None:
    """Text fields of the form, by name."""
    for name, value in fields.items():
        page.locator(f"input[name={name}]").fill(value)


def add_price(page: Page, name: str, code: str, model: str, meter: str = "") -> None:
    """Leaves the form open."""
    page.get_by_role("link", name="Add a price").first.click()
    fill(page, name=name, code=code)
    page.locator("select[name=model]").select_option(label=model)
    if meter:
        page.locator("select[name=meter]").select_option(label=meter)


def save(page: Page) -> None:
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("is part of Pro v1.")).to_be_visible()


def test_a_plan_of_four_prices_is_built_tried_and_published(page: Page, business: Business) -> None:
    page.goto("/admin/catalog/meter/add/")
    fill(page, name="Images", code="images", unit="image", event_name="image.render")
    page.locator("select[name=aggregation]").select_option("count")
    page.get_by_role("button", name="Save", exact=True).click()

    page.goto("/admin/catalog/plan/add/")
    fill(page, name="Pro", code="pro")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Add the first one")).to_be_visible()

    # A base fee: no meter, no tiers, no curve.
    add_price(page, "Base fee", "base", "Flat fee")
    expect(page.locator("select[name=meter]")).to_be_hidden()
    expect(page.locator("#tiers-group")).to_be_hidden()
    expect(aside(page)).to_contain_text("Flat amount Fill this in.")
    fill(page, flat_amount="49")
    expect(aside(page)).to_contain_text("$49.00")
    expect(aside(page).locator("canvas")).to_be_hidden()
    save(page)

    # Per unit: the amount follows the typing.
    add_price(page, "Output tokens", "output", "Per unit", "Output tokens")
    fill(page, unit_amount="0.00001")
    fill(page, preview_quantity="1234567")
    expect(aside(page)).to_contain_text("$12.35")
    expect(aside(page)).to_contain_text("12.34567")
    expect(aside(page).locator("canvas")).to_be_visible()
    save(page)

    # Graduated: an incomplete price says what it lacks, then shows its bounds.
    add_price(page, "Input tokens", "input", "Graduated tiers", "Input tokens")
    expect(page.locator("input[name=unit_amount]")).to_be_hidden()
    expect(aside(page)).to_contain_text("Tiers Add at least one tier.")
    for index, (up_to, unit_amount, fee) in enumerate([("1000", "0.01", "5"), ("", "0.005", "")]):
        page.get_by_role("link", name="Add another Tier").click()
        page.locator(f"[name=tiers-{index}-up_to]").fill(up_to)
        page.locator(f"[name=tiers-{index}-unit_amount]").fill(unit_amount)
        page.locator(f"[name=tiers-{index}-flat_amount]").fill(fee)
    for quantity, amount in (("0", "$5.00"), ("1", "$5.01"), ("1,000", "$15.00"), ("1,001", "$15.01")):
        expect(amount_at(page, quantity)).to_contain_text(amount)
    fill(page, preview_quantity="1500")
    expect(aside(page)).to_contain_text("$17.50")
    save(page)

    # Package: a mistake is said at its field, and nothing is lost.
    add_price(page, "Images", "images", "Package", "Images")
    fill(page, unit_amount="2")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".field-package_size .errorlist")).to_contain_text("Fill this in.")
    fill(page, package_size="100")
    expect(amount_at(page, "101")).to_contain_text("$4.00")
    save(page)

    expect(page.get_by_role("table").first).to_contain_text("up to 1,000: USD 0.01 per token + USD 5.00 flat")
    page.get_by_role("link", name="Publish").click()
    expect(page.get_by_text("Publish Pro v1?")).to_be_visible()
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Pro v1 is published and on offer.")).to_be_visible()

    # It can no longer be edited, but still be tried.
    expect(page.get_by_role("link", name="Add a price")).to_have_count(0)
    expect(page.get_by_role("link", name="Publish")).to_have_count(0)
    expect(page.get_by_role("button", name="Save")).to_have_count(0)
    page.get_by_role("link", name="Input tokens").first.click()
    expect(page.get_by_text("Frozen since it was published")).to_be_visible()
    expect(page.locator("[name=code]")).to_have_count(0)
    fill(page, preview_quantity="1500")
    expect(aside(page)).to_contain_text("$17.50")


def test_a_version_is_compared_with_the_one_it_replaces(page: Page, business: Business) -> None:
    page.goto(f"/admin/catalog/planversion/{business.subscription.plan_version_id}/change/")
    page.get_by_role("link", name="Duplicate").click()
    page.get_by_role("button", name="Draft it").click()
    page.get_by_role("link", name="Base fee").click()
    fill(page, flat_amount="59")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("link", name="Compare").click()
    expect(page.locator("del")).to_have_text("USD 49.00")
    expect(page.locator("ins")).to_have_text("USD 59.00")
    page.go_back()
    page.get_by_role("link", name="Publish").click()
    expect(page.get_by_text("1 subscription", exact=True)).to_be_visible()
    page.get_by_label("They move when their next period begins").check()
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Those on older versions move at their renewal.")).to_be_visible()
    page.goto(f"/admin/subscriptions/subscription/{business.subscription.pk}/change/")
    expect(page.locator(".ch-timeline li")).to_have_count(2)
    expect(page.locator(".ch-timeline")).to_contain_text("Scheduled")
