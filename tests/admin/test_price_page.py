"""One price on its page: every model is written and read back, and what is wrong is said where it is."""

from decimal import Decimal
from typing import Any

import pytest

from apps.audit.models import AuditEntry
from apps.catalog.admin import price as price_page
from apps.catalog.definitions import definition_document
from apps.catalog.models import Meter, PlanVersion, Price
from apps.catalog.services.versions import publish_version
from apps.core import clock
from apps.core.errors import Refused
from apps.tenants.models import Tenant
from tests.admin.price_forms import add_url, change_url, errors_in, price_form, stored_form
from tests.admin.test_actions import told
from tests.admin.test_pages import page
from tests.harness.clients import Staff
from tests.harness.factories import flat, make_meter, make_plan

OPEN = {"up_to": "", "unit_amount": "0.005"}
UP_TO_1000 = {"up_to": "1000", "unit_amount": "0.01", "flat_amount": "5"}


@pytest.fixture
def tokens(in_acme: Tenant) -> Meter:
    return make_meter("tokens", dimensions=["model", "region"])


@pytest.fixture
def draft(tokens: Meter) -> PlanVersion:
    return make_plan("pro", [flat("49.00")], publish=False)


MODELS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {"model": "flat", "flat_amount": "10", "billing_timing": "advance"},
        {"model": "flat", "flat_amount": "10"},
    ),
    (
        {"model": "per_unit", "meter": "tokens", "unit_amount": "0.0000025", "quantity_included": "1000"},
        {"model": "per_unit", "unit_amount": "0.0000025", "quantity_included": "1000"},
    ),
    (
        {"model": "graduated", "meter": "tokens", "tiers": [UP_TO_1000, OPEN], "first_tier_flat_at_zero": "on"},
        {
            "model": "graduated",
            "tiers": [
                {"up_to": "1000", "unit_amount": "0.01", "flat_amount": "5"},
                {"up_to": None, "unit_amount": "0.005"},
            ],
        },
    ),
    (
        {"model": "volume", "meter": "tokens", "tiers": [OPEN, UP_TO_1000]},
        {
            "model": "volume",
            "first_tier_flat_at_zero": False,
            "tiers": [
                {"up_to": "1000", "unit_amount": "0.01", "flat_amount": "5"},
                {"up_to": None, "unit_amount": "0.005"},
            ],
        },
    ),
    (
        {"model": "package", "meter": "tokens", "unit_amount": "1.5", "package_size": "1000"},
        {"model": "package", "unit_amount": "1.5", "package_size": "1000"},
    ),
    (
        {"model": "percentage", "meter": "tokens", "rate": "0.029", "fixed_amount": "0.3", "events_included": "5"},
        {"model": "percentage", "rate": "0.029", "fixed_amount": "0.3", "events_included": 5},
    ),
    (
        {"model": "graduated_percentage", "meter": "tokens", "tiers": [{"up_to": "", "rate": "0.02"}],
            "first_tier_flat_at_zero": "on",
        },
        {"model": "graduated_percentage", "tiers": [{"up_to": None, "rate": "0.02"}]},
    ),
    (
        {"model": "dynamic", "meter": "tokens", "unit_amount_property": "price", "minimum_amount": "1"},
        {"model": "dynamic", "minimum_amount": "1"},
    ),
    (
        {
            "model": "cost_plus", "meter": "tokens", "multiplier": "1.2", "convert_divide_by": "1000",
            "convert_rounding": "up",
        },
        {"model": "cost_plus", "multiplier": "1.2", "convert": {"divide_by": "1000", "rounding": "up"}},
    ),
    (
        {
            "model": "per_unit", "meter": "tokens", "unit_amount": "1", "commitment_amount": "100",
            "commitment_true_up": "on", "commitment_overage_factor": "1.5",
        },
        {
            "model": "per_unit", "unit_amount": "1",
            "commitment": {"amount": "100", "true_up": True, "overage_factor": "1.5"},
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "document"), MODELS)
def test_every_model_is_written(
    olga: Staff, draft: PlanVersion, fields: dict[str, Any], document: dict[str, Any]
) -> None:
    response = olga.post(add_url(draft), price_form(**fields))
    assert response.status_code == 302, errors_in(response)
    assert response.headers["Location"] == page("catalog.planversion", "change", draft.pk)
    price = draft.prices.get(code="usage")
    assert definition_document(price) == document


@pytest.mark.parametrize(("fields", "document"), MODELS)
def test_what_is_written_is_shown_and_saved_again(
    olga: Staff, draft: PlanVersion, fields: dict[str, Any], document: dict[str, Any]
) -> None:
    """The page as it comes, sent back unchanged, changes nothing."""
    olga.post(add_url(draft), price_form(**fields))
    price = draft.prices.get(code="usage")
    shown = olga.get(change_url(price)).context
    form = {
        bound.html_name: bound.value()
        for bound in shown["adminform"].form
        if bound.value() is not None and bound.value() is not False
    }
    for inline in shown["inline_admin_formsets"]:
        forms = [inline.formset.management_form, *inline.formset.initial_forms]
        form |= {
            bound.html_name: bound.value() for one in forms for bound in one if bound.value() is not None
        }
    response = olga.post(change_url(price), form)
    assert response.status_code == 302, errors_in(response)
    assert definition_document(Price.objects.get(pk=price.pk)) == document


def test_filters_are_written_one_value_a_line(olga: Staff, draft: PlanVersion) -> None:
    form = price_form(
        meter="tokens",
        unit_amount="1",
        filters={"model": ["gpt-5, large", "gpt-5", "gpt-5"], "region": ["eu"]},
    )
    response = olga.post(add_url(draft), form)
    assert response.status_code == 302, errors_in(response)
    stored = draft.prices.get(code="usage").filters.values_list("dimension", "values")
    assert list(stored) == [("model", ["gpt-5, large", "gpt-5"]), ("region", ["eu"])]


WRONG: list[tuple[dict[str, Any], dict[str, list[str]]]] = [
    ({"meter": "tokens"}, {"unit_amount": ["Fill this in."]}),
    ({"unit_amount": "1"}, {"meter": ["Fill this in."]}),
    ({"meter": "tokens", "unit_amount": "abc"}, {"unit_amount": ["Enter a number."]}),
    ({"meter": "tokens", "unit_amount": "NaN"}, {"unit_amount": ["Enter a number."]}),
    (
        {"meter": "tokens", "unit_amount": "-1"},
        {"unit_amount": ["Ensure this value is greater than or equal to 0."]},
    ),
    (
        {"meter": "tokens", "unit_amount": "1", "package_size": "10"},
        {"package_size": ["This field doesn't belong to this price model."]},
    ),
    (
        {"model": "flat", "flat_amount": "1", "meter": "tokens"},
        {"meter": ["A flat fee has no meter and no filters."]},
    ),
    (
        {"meter": "tokens", "unit_amount": "1", "billing_timing": "advance"},
        {"billing_timing": ["Usage is billed at the end of the period."]},
    ),
    (
        {"meter": "tokens", "unit_amount": "1", "minimum_amount": "5", "maximum_amount": "2"},
        {"minimum_amount": ["The minimum is above the maximum."]},
    ),
    (
        {"meter": "tokens", "unit_amount": "1", "discount_percent": "5", "discount_amount": "2"},
        {"discount_amount": ["Discount by percent or amount, not both."]},
    ),
    (
        {"meter": "tokens", "unit_amount": "1", "convert_divide_by": "5", "convert_multiply_by": "2"},
        {"convert_multiply_by": ["Divide or multiply, not both."]},
    ),
    (
        {"meter": "tokens", "unit_amount": "1", "commitment_amount": "5", "commitment_quantity": "2"},
        {"commitment_quantity": ["Commit an amount or a quantity, not both."]},
    ),
    (
        {"meter": "tokens", "model": "dynamic"},
        {
            "unit_amount_property": [
                "Dynamic prices, and only they, name the event's property with the unit price."
            ]
        },
    ),
    ({"meter": "tokens", "model": "graduated"}, {"tiers": ["Add at least one tier."]}),
    (
        {"meter": "tokens", "model": "graduated", "tiers": [UP_TO_1000]},
        {"tiers-0-up_to": ["Leave this empty: the last tier takes all that is beyond."]},
    ),
    (
        {"meter": "tokens", "model": "graduated", "tiers": [UP_TO_1000, UP_TO_1000, OPEN]},
        {"tiers-1-up_to": ["Must be more than 1,000."]},
    ),
    (
        {"meter": "tokens", "model": "graduated", "tiers": [OPEN, OPEN]},
        {"tiers-0-up_to": ["Only one tier can be open, the last one."]},
    ),
    (
        {"meter": "tokens", "model": "graduated", "tiers": [{"up_to": "", "rate": "0.5"}]},
        {"tiers-0-rate": ["This doesn't belong to this price model."]},
    ),
    (
        {"meter": "tokens", "unit_amount": "1", "tiers": [OPEN]},
        {"tiers": ["This field doesn't belong to this price model."]},
    ),
    (
        {"meter": "tokens", "unit_amount": "1", "filters": {"colour": ["red"]}},
        {"filters-0-dimension": ["The meter tokens has no dimension 'colour'."]},
    ),
    (
        {"meter": "tokens", "unit_amount": "1", "filters": {"model": []}},
        {"filters-0-values": ["This field is required."]},
    ),
    (
        {"code": "base", "meter": "tokens", "unit_amount": "1"},
        {"code": ["Another price of Pro v1 has this code."]},
    ),
    (
        {"model": "nonsense", "meter": "tokens"},
        {"model": ["Select a valid choice. nonsense is not one of the available choices."]},
    ),
]


@pytest.mark.parametrize(("fields", "errors"), WRONG)
def test_what_is_wrong_is_said_at_its_field(
    olga: Staff, draft: PlanVersion, fields: dict[str, Any], errors: dict[str, list[str]]
) -> None:
    response = olga.post(add_url(draft), price_form(**fields))
    assert response.status_code == 200
    assert errors_in(response) == errors
    assert draft.prices.count() == 1


def test_several_mistakes_are_said_at_once(olga: Staff, draft: PlanVersion) -> None:
    response = olga.post(
        add_url(draft), price_form(name="", meter="tokens", minimum_amount="5", maximum_amount="2")
    )
    assert set(errors_in(response)) == {"name", "unit_amount", "minimum_amount"}


def test_two_prices_do_not_take_the_same_usage(olga: Staff, draft: PlanVersion) -> None:
    form = price_form(meter="tokens", unit_amount="1", filters={"model": ["b", "a"]})
    assert olga.post(add_url(draft), form).status_code == 302
    again = price_form(
        name="Other", code="other", meter="tokens", unit_amount="2", filters={"model": ["a", "b"]}
    )
    assert errors_in(olga.post(add_url(draft), again)) == {
        "meter": ["Usage takes the same usage; tell them apart by a filter."]
    }
    assert olga.post(add_url(draft), again | {"filters-0-values": "a"}).status_code == 302


def test_bounds_may_change_places(olga: Staff, draft: PlanVersion) -> None:
    """Rows are written anew: at no moment do two of them have the same bound."""
    rows = [{"up_to": "10", "unit_amount": "3"}, {"up_to": "20", "unit_amount": "2"}, OPEN]
    olga.post(add_url(draft), price_form(model="graduated", meter="tokens", tiers=rows))
    price = draft.prices.get(code="usage")
    swapped = stored_form(price) | {"tiers-0-up_to": "20", "tiers-1-up_to": "10"}
    response = olga.post(change_url(price), swapped)
    assert response.status_code == 302, errors_in(response)
    assert [(tier.up_to, tier.unit_amount) for tier in price.tiers.all()] == [
        (Decimal(10), Decimal(2)),
        (Decimal(20), Decimal(3)),
        (None, Decimal("0.005")),
    ]


def test_a_tier_is_removed(olga: Staff, draft: PlanVersion) -> None:
    olga.post(add_url(draft), price_form(model="graduated", meter="tokens", tiers=[UP_TO_1000, OPEN]))
    price = draft.prices.get(code="usage")
    response = olga.post(change_url(price), stored_form(price) | {"tiers-0-DELETE": "on"})
    assert response.status_code == 302, errors_in(response)
    assert [tier.up_to for tier in price.tiers.all()] == [None]


def test_changing_the_model_drops_what_no_longer_belongs(olga: Staff, draft: PlanVersion) -> None:
    """A browser does not send what the page hides."""
    olga.post(add_url(draft), price_form(meter="tokens", unit_amount="1"))
    price = draft.prices.get(code="usage")
    response = olga.post(change_url(price), price_form(model="flat", flat_amount="7"))
    assert response.status_code == 302, errors_in(response)
    price.refresh_from_db()
    assert (price.model, price.flat_amount, price.unit_amount, price.meter) == (
        "flat",
        Decimal(7),
        None,
        None,
    )


def test_the_audit_log_says_what_was_written(olga: Staff, draft: PlanVersion) -> None:
    olga.post(
        add_url(draft), price_form(meter="tokens", unit_amount="0.0000025", filters={"model": ["gpt-5"]})
    )
    entry = AuditEntry.objects.get(action="plan_version.changed", actor_kind="staff")
    assert entry.changes == {
        "price usage added": {
            "model": "per_unit",
            "unit_amount": "0.0000025",
            "filters": {"model": ["gpt-5"]},
        }
    }


def test_a_price_is_removed_after_a_question(olga: Staff, draft: PlanVersion) -> None:
    olga.post(
        add_url(draft),
        price_form(model="graduated", meter="tokens", tiers=[UP_TO_1000, OPEN], filters={"model": ["a"]}),
    )
    price = draft.prices.get(code="usage")
    asked = olga.get(page("catalog.price", "remove", price.pk)).content.decode()
    assert "Remove Usage from Pro v1?" in asked
    assert (
        told(olga.post(page("catalog.price", "remove", price.pk)))[-1] == "Usage is no longer part of Pro v1."
    )
    assert [one.code for one in draft.prices.all()] == ["base"]


# Frozen


def published(draft: PlanVersion) -> Price:
    publish_version(version=draft, now=clock.now())
    return draft.prices.get(code="base")


def test_a_published_price_is_a_page_without_a_form(olga: Staff, draft: PlanVersion) -> None:
    price = published(draft)
    content = olga.get(change_url(price)).content.decode()
    assert "Frozen since it was published" in content
    assert 'name="flat_amount"' not in content
    assert 'name="_save"' not in content
    assert "Remove" not in content


def test_a_published_price_refuses_crafted_requests(olga: Staff, draft: PlanVersion) -> None:
    price = published(draft)
    assert olga.post(change_url(price), price_form(model="flat", flat_amount="1")).status_code == 403
    assert told(olga.post(page("catalog.price", "remove", price.pk)))[-1].startswith("Pro v1 is published")
    response = olga.post(add_url(draft), price_form(model="flat", flat_amount="1"))
    assert response.headers["Location"] == page("catalog.planversion", "change", draft.pk)
    assert [(one.code, one.flat_amount) for one in draft.prices.all()] == [("base", Decimal(49))]


def test_published_while_the_form_was_open(
    olga: Staff, draft: PlanVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock finds out: the page was allowed to be sent, and nothing is written."""
    price = draft.prices.get(code="base")
    is_published = []

    def refuse(version: PlanVersion) -> PlanVersion:
        is_published.append(True)
        raise Refused("not_a_draft", f"{version} is published and can't be changed.")

    monkeypatch.setattr(price_page.plans, "locked_draft", refuse)
    monkeypatch.setattr(price_page, "may_edit", lambda request, price: not is_published)
    response = olga.post(change_url(price), price_form(code="base", model="flat", flat_amount="1"))
    assert response.headers["Location"] == change_url(price)
    assert told(response) == ["Pro v1 is published and can't be changed."]
    price.refresh_from_db()
    assert price.flat_amount == Decimal(49)


def test_a_price_needs_its_version(olga: Staff, draft: PlanVersion) -> None:
    for query in (
        "",
        "?plan_version=",
        "?plan_version=999999",
        "?plan_version=x",
        "?plan_version=" + "9" * 40,
    ):
        assert olga.get(page("catalog.price", "add") + query).status_code == 404


def test_prices_are_listed_by_their_versions(olga: Staff, draft: PlanVersion) -> None:
    assert olga.get(page("catalog.price", "changelist")).headers["Location"] == page(
        "catalog.planversion", "changelist"
    )
    content = olga.get(page("catalog.planversion", "change", draft.pk)).content.decode()
    assert change_url(draft.prices.get()) in content
    assert add_url(draft) in content


# Permissions


def test_a_reader_reads_a_draft_price_without_a_form(reader: Staff, draft: PlanVersion) -> None:
    price = draft.prices.get()
    content = reader.get(change_url(price)).content.decode()
    assert 'name="flat_amount"' not in content
    assert "USD 49.00" in content
    version = reader.get(page("catalog.planversion", "change", draft.pk)).content.decode()
    for button in ("/publish", "/copy", f"{draft.pk}/archive", "/discard", "price/add", "Negotiate these"):
        assert button not in version


def test_a_reader_writes_no_price(reader: Staff, sam: Staff, draft: PlanVersion) -> None:
    price = draft.prices.get()
    for person in (reader, sam):
        assert person.get(add_url(draft)).status_code == 403
        assert person.post(add_url(draft), price_form(model="flat", flat_amount="1")).status_code == 403
        assert person.post(change_url(price), price_form(model="flat", flat_amount="1")).status_code == 403
        assert person.post(page("catalog.price", "remove", price.pk)).status_code == 403
    assert [(one.code, one.flat_amount) for one in draft.prices.all()] == [("base", Decimal(49))]


def test_an_archived_meter_can_not_be_chosen(olga: Staff, draft: PlanVersion, tokens: Meter) -> None:
    Meter.objects.filter(pk=tokens.pk).update(archived_at=clock.now())
    response = olga.post(add_url(draft), price_form(meter="tokens", unit_amount="1"))
    assert set(errors_in(response)) == {"meter"}


def test_a_version_lists_its_prices_in_words(olga: Staff, draft: PlanVersion) -> None:
    olga.post(
        add_url(draft),
        price_form(
            model="graduated", meter="tokens", tiers=[UP_TO_1000, OPEN], filters={"model": ["a", "b"]}
        ),
    )
    content = olga.get(page("catalog.planversion", "change", draft.pk)).content.decode()
    for words in (
        "USD 49.00 a period",
        "up to 1,000: USD 0.01 per token + USD 5.00 flat",
        "beyond: USD 0.005 per token",
        "only where model = a or b",
    ):
        assert words in content


def test_another_tenants_price_is_not_found(stan: Staff, olga: Staff, draft: PlanVersion) -> None:
    price = draft.prices.get()
    assert stan.get(change_url(price)).status_code == 302
