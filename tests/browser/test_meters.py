"""A meter is defined and tried on an event before it counts: as Olga does it."""

import pytest
from playwright.sync_api import Page, expect

from tests.admin.business import Business

pytestmark = pytest.mark.browser


def test_a_weighted_meter_is_tried_and_saved(page: Page, business: Business) -> None:
    page.goto("/admin/catalog/meter/add/")
    trial, read = page.locator("#meter-trial"), page.locator("input[name=value_expression]")
    aggregation = page.locator("select[name=aggregation]")
    expect(page.get_by_text("All values of the period added up.")).to_be_visible()

    # A count reads nothing; different values are those of one property.
    aggregation.select_option("count")
    expect(read).to_be_hidden()
    expect(page.locator("input[name=value_property]")).to_be_hidden()
    aggregation.select_option("unique_count")
    expect(page.locator("input[name=value_property]")).to_be_visible()
    expect(read).to_be_hidden()
    aggregation.select_option("sum")

    # The trial follows the typing.
    trial.locator("textarea").fill('{"input_tokens": 1200, "output_tokens": "35", "region": "ap"}')
    expect(trial).to_contain_text("A sum needs a property or an expression.")
    read.fill("input_tokens + 5 * output_tokens")
    expect(trial).to_contain_text("1,375")
    page.locator("textarea[name=filters]").fill("region in eu, us")
    expect(trial).to_contain_text("Not counted: the filter region in eu, us does not hold.")
    page.locator("textarea[name=filters]").fill("region not in eu")
    expect(trial).to_contain_text("1,375")

    page.locator("select[name=status]").select_option("draft")
    for name, text in {"name": "Weighted", "code": "weighted", "event_name": "llm.call"}.items():
        page.locator(f"input[name={name}]").fill(text)
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("link", name="Weighted").first.click()
    page.get_by_role("link", name="Activate").click()
    expect(page.get_by_text("Sum of input_tokens + 5 × output_tokens where region not in eu")).to_be_visible()
    page.get_by_role("button", name="Activate the meter").click()
    expect(page.get_by_text("Weighted is active: prices can use it.")).to_be_visible()

    # What is stored is tried when there is no form for it.
    trial.locator("textarea").fill('{"input_tokens": 1}')
    expect(trial.locator("strong")).to_have_text("1")
    page.goto("/admin/catalog/meter/")
