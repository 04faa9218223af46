"""A meter on its page: defined, tried on a pasted event, activated."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from apps.catalog.admin.filter_lines import filters_in, line_of
from apps.catalog.admin.meter_words import HELP, measures_text
from apps.catalog.models import Meter
from apps.catalog.services import meters
from apps.core import clock
from apps.tenants.models import Tenant
from apps.usage.models import ArchivedPartition
from tests.admin.test_actions import audited, told
from tests.admin.test_pages import page
from tests.harness.clients import Staff
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import an_event, make_customer, make_meter, report
from tests.usage.totals import metered

LIST, ADD, TRIAL = (
    page("catalog.meter", "changelist"),
    page("catalog.meter", "add"),
    page("catalog.meter", "trial"),
)
FORM = {
    "name": "Weighted tokens", "code": "weighted", "status": "draft", "event_name": "llm.call", "aggregation": "sum",
    "value_property": "", "value_expression": "input_tokens + 5 * output_tokens",
    "filters": "region in eu, us\r\ntier not in free", "dimensions": "model", "unit": "token",
    "display_unit": "M tokens", "display_unit_size": "1000000", "cardinality_warning_from": "500",
}  # fmt: skip
FILTERS = [
    {"property": "region", "operator": "in", "values": ["eu", "us"]},
    {"property": "tier", "operator": "not_in", "values": ["free"]},
]


def errors_in(response: Any) -> dict[str, list[str]]:
    assert response.status_code == 200
    return {name: list(texts) for name, texts in response.context["adminform"].form.errors.items()}


@pytest.mark.parametrize(
    ("text", "filters"),
    [
        ("region in eu, us", [("region", "in", ["eu", "us"])]),
        ("  region   NOT  IN eu ", [("region", "not_in", ["eu"])]),
        ("a in 1\r\n\r\nb in 2", [("a", "in", ["1"]), ("b", "in", ["2"])]),
        ('"billed by" in "a, b", "say \\"hi\\"", ""', [("billed by", "in", ["a, b", 'say "hi"', ""])]),
        ("city in New York, São Paulo", [("city", "in", ["New York", "São Paulo"])]),
        ("in in in, not in", [("in", "in", ["in", "not in"])]),
        ('a in "back\\\\slash"', [("a", "in", ["back\\slash"])]),
        ('a in "\u2028"', [("a", "in", ["\u2028"])]),
        ("", []),
    ],
)
def test_filters_are_lines(text: str, filters: list[tuple[str, str, list[str]]]) -> None:
    found = filters_in(text)
    assert [(one["property"], one["operator"], one["values"]) for one in found] == filters
    assert filters_in("\n".join(map(line_of, found))) == found


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("region", "Line 1: write it like: region in eu, us"),
        ("region = eu", "Line 1: write it like"),
        ("region in", "Line 1: write it like"),
        ("a in b\n\nregion is eu", "Line 3: write it like"),
        ("a in b,, c", "Line 1: ', c' is no value"),
        ("a in b,", "Line 1: a value is missing after the last comma"),
        ('a in "b', "Line 1: '\"b' is no value"),
        ('a in "b" c', "is no value"),
        ('a in "\\x"', "can't be read"),
        ("a in b\n" * 11, "at most 10"),
        ("a in " + ", ".join("b" * 21), "Line 1: A filter has 1 to 20 values."),
        ("\na in " + "b" * 256, "Line 2: A value is a text of at most 255 characters."),
    ],
)
def test_a_line_that_can_not_be_read_is_named(text: str, mistake: str) -> None:
    with pytest.raises(ValidationError) as error:
        filters_in(text)
    assert mistake in error.value.messages[0]


def test_it_is_made_with_everything(olga: Staff, in_acme: Tenant) -> None:
    assert olga.post(ADD, FORM).status_code == 302
    meter = Meter.objects.get()
    assert (meter.filters, meter.dimensions, meter.status) == (FILTERS, ["model"], "draft")
    assert (meter.display_unit, meter.display_unit_size, meter.cardinality_warning_from) == (
        "M tokens",
        10**6,
        500,
    )
    assert measures_text(meter) == (
        "Sum of input_tokens + 5 × output_tokens where region in eu, us and tier not in free"
    )
    listed = olga.get(LIST + "?status__exact=draft").content.decode()
    assert "Sum of input_tokens + 5 × output_tokens where region in eu, us" in listed
    assert "Draft" in listed
    assert "Weighted" not in olga.get(LIST + "?status__exact=active").content.decode()
    assert "Weighted" not in olga.get(LIST + "?aggregation__exact=max").content.decode()
    assert "Weighted" in olga.get(LIST + "?q=output_tokens").content.decode()


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"aggregation": "count", "value_property": ""}, "Number of events"),
        ({"aggregation": "unique_count", "value_property": "user"}, "Number of different values of user"),
        ({"aggregation": "latest"}, "Latest of seats"),
        (
            {"value_property": "", "value_expression": "min(a,\n 2) / 1000 * `x * y`"},
            "Sum of min(a, 2) ÷ 1000 × `x * y`",
        ),
    ],
)
def test_what_it_measures_is_said_in_words(in_acme: Tenant, fields: dict[str, Any], text: str) -> None:
    assert measures_text(make_meter("seats", **fields)) == text


def test_every_aggregation_is_explained() -> None:
    assert list(HELP) == list(Meter.Aggregation)


@pytest.mark.parametrize(
    ("change", "field", "text"),
    [
        ({"value_expression": "a / 3"}, "value_expression", "At character 5: Dividing by 3"),
        ({"value_expression": ""}, "value_property", "A sum needs a property or an expression."),
        ({"value_property": "a"}, "value_expression", "not both"),
        ({"aggregation": "count"}, "value_expression", "A count reads no value."),
        ({"aggregation": "unique_count"}, "value_property", "Name the property"),
        ({"filters": "region in eu\ntier: free"}, "filters", "Line 2: write it like"),
        ({"dimensions": "a,b,c,d,e,f,g,h,i"}, "dimensions", "8"),
        ({"display_unit": ""}, "display_unit", "Name the unit"),
        ({"display_unit_size": "0"}, "display_unit_size", "greater than or equal"),
        ({"cardinality_warning_from": "0"}, "cardinality_warning_from", "greater than or equal"),
    ],
)
def test_a_mistake_is_shown_at_its_field(
    olga: Staff, in_acme: Tenant, change: dict[str, str], field: str, text: str
) -> None:
    olga.get(ADD)
    with nothing_changes_in("acme"):
        errors = errors_in(olga.post(ADD, {**FORM, **change}))
    assert next(iter(errors)) == field
    assert text in errors[field][0]


def test_a_draft_is_changed_and_activated(olga: Staff, in_acme: Tenant) -> None:
    olga.post(ADD, FORM)
    meter = Meter.objects.get()
    url = page("catalog.meter", "change", meter.pk)
    shown = olga.get(url).content.decode()
    assert "region in eu, us\ntier not in free" in shown
    assert "what it has counted so far is discarded" in shown
    change = {"name": "Eu tokens", "filters": "region in eu", "aggregation": "max", "code": "other"}
    assert olga.post(url, {**FORM, **change}).status_code == 302
    meter.refresh_from_db()
    assert (meter.name, meter.code, meter.aggregation, meter.definition_version) == (
        "Eu tokens",
        "weighted",
        "max",
        2,
    )
    assert audited("meter.definition_changed").changes == {
        "aggregation": ["sum", "max"],
        "filters": [FILTERS, [{"property": "region", "operator": "in", "values": ["eu"]}]],
    }
    assert audited("meter.changed").changes == {"name": ["Weighted tokens", "Eu tokens"]}
    activate = page("catalog.meter", "activate", meter.pk)
    assert (
        "Maximum of input_tokens + 5 × output_tokens where region in eu"
        in olga.get(activate).content.decode()
    )
    assert told(olga.post(activate))[-1] == "Eu tokens is active: prices can use it."
    meter.refresh_from_db()
    assert meter.status == "active"
    assert 'name="aggregation"' not in olga.get(url).content.decode()
    assert "was active before" in told(olga.post(activate))[-1]


def test_discarding_what_a_draft_has_counted_is_asked_first(olga: Staff, in_acme: Tenant) -> None:
    olga.post(ADD, FORM)
    meter = Meter.objects.get()
    url = page("catalog.meter", "change", meter.pk)
    make_customer()
    fields = {
        "event": meter.event_name,
        "properties": {"input_tokens": 1, "output_tokens": 2, "region": "eu"},
    }
    report(*(an_event(f"e{number}", **{**fields, "timestamp": None}) for number in range(3)))
    counted = metered(meter.code)
    assert counted > 0
    changed = {**FORM, "filters": "region in eu"}
    with nothing_changes_in("acme"):
        asked = olga.post(url, changed)
    assert asked.status_code == 200
    facts = asked.context["question"].facts
    assert facts == {"Events it has counted": "3", "A backfill can read again": "all of them"}
    ArchivedPartition.objects.create(
        partition="usage_usageevent_x", starts_at=clock.now() - timedelta(days=1),
        ends_at=clock.now() + timedelta(days=1), format="parquet", file_name="x.parquet", row_count=1, byte_size=1,
        sha256="0" * 64, archived_at=clock.now(),
    )  # fmt: skip
    assert "earlier ones are archived" in olga.post(url, changed).content.decode()
    # How it is called discards nothing.
    assert olga.post(url, {**FORM, "name": "Other"}).status_code == 302
    assert metered(meter.code) == counted
    hidden: dict[str, Any] = {}
    for name, value in asked.context["question"].hidden:
        hidden.setdefault(name, []).append(value)
    assert olga.post(url, hidden | {"confirmed": "yes"}).status_code == 302
    meter.refresh_from_db()
    assert (meter.definition_version, metered(meter.code)) == (2, 0)


def test_saving_a_form_as_it_is_changes_nothing(olga: Staff, in_acme: Tenant) -> None:
    olga.post(ADD, FORM)
    with nothing_changes_in("acme"):
        assert olga.post(page("catalog.meter", "change", Meter.objects.get().pk), FORM).status_code == 302


def tried(person: Staff, sample: Any, **fields: Any) -> Any:
    text = sample if isinstance(sample, str) else json.dumps(sample)
    response = person.post(TRIAL, {**fields, "sample": text})
    assert response.status_code == 200
    return response.context["trial"]


@pytest.mark.parametrize(
    ("change", "sample", "value"),
    [
        ({}, {"input_tokens": 1200, "output_tokens": "35", "region": "eu"}, "1,375"),
        ({}, {"properties": {"output_tokens": 1.5, "region": "us"}}, "7.5"),
        ({}, {"region": "eu"}, ""),
        ({"aggregation": "count", "value_expression": ""}, {"region": "eu"}, "1"),
        (
            {"aggregation": "unique_count", "value_expression": "", "value_property": "user"},
            {"region": "eu", "user": 7},
            "“7”",
        ),
    ],
)
def test_it_is_tried(
    olga: Staff, in_acme: Tenant, change: dict[str, str], sample: dict[str, Any], value: str
) -> None:
    olga.get(ADD)
    with nothing_changes_in("acme"):
        assert tried(olga, sample, **{**FORM, **change})["value"] == value


def test_a_trial_shows_what_it_is_made_of(olga: Staff, in_acme: Tenant) -> None:
    found = tried(olga, {"input_tokens": 5, "region": "eu", "model": "gpt-5"}, **FORM)
    assert found["operands"] == [("input_tokens", "5"), ("output_tokens", "absent")]
    assert found["dimensions"] == [("model", "gpt-5")]
    assert tried(olga, {"input_tokens": 5, "region": "ap"}, **FORM) == {"skipped": "region in eu, us"}
    assert tried(olga, "", **FORM) is None


@pytest.mark.parametrize(
    ("change", "sample", "mistake"),
    [
        ({}, "{", "The sample is no JSON at line 1, column 2."),
        ({}, "[" * 10_000, "The sample is no JSON."),
        ({}, "[1]", "is an object of properties"),
        ({}, " " * 20_001 + "1", "is an object of properties"),
        ({}, "1" * 20_001, "at most 20,000 characters"),
        ({}, '{"region": "eu", "input_tokens": "many"}', "input_tokens holds no number"),
        ({}, '{"region": "eu", "input_tokens": NaN}', "input_tokens must be zero or more"),
        ({}, '{"region": "eu", "input_tokens": -1}', "input_tokens must be zero or more"),
        ({}, '{"region": "eu", "input_tokens": true}', "input_tokens holds no number"),
        ({}, '{"region": "ap", "input_tokens": "many"}', "input_tokens holds no number"),
        ({}, '{"region": "eu", "model": "\\ud800"}', "model holds a NUL or half of a surrogate pair"),
        ({}, '{"region": "eu", "model": 1e999999999}', "model is out of range"),
        ({"value_expression": "0 - a"}, '{"region": "eu", "a": 1}', "The value would be -1"),
        ({"value_expression": "a +"}, "{}", "At character 4"),
        ({"filters": "region"}, "{}", "Line 1"),
        ({"aggregation": "median"}, "{}", "Choose an aggregation."),
    ],
)
def test_a_trial_says_what_is_wrong(
    olga: Staff, in_acme: Tenant, change: dict[str, str], sample: str, mistake: str
) -> None:
    assert mistake in tried(olga, sample, **{**FORM, **change})["wrong"][0]


def test_an_active_meter_is_tried_as_it_is_stored(olga: Staff, in_acme: Tenant) -> None:
    meter = make_meter("tokens")
    assert tried(olga, {"tokens": 5}, meter=meter.pk)["value"] == "5"
    assert olga.post(TRIAL, {"meter": "999", "sample": "{}"}).status_code == 404
    assert olga.post(TRIAL, {"meter": "x", "sample": "{}"}).status_code == 404
    assert olga.get(TRIAL).status_code == 405


def test_whoever_may_not_see_meters_tries_none(sam: Staff, in_acme: Tenant) -> None:
    meter = make_meter("tokens", status="draft")
    seen = sam.get(page("catalog.meter", "change", meter.pk)).status_code
    assert sam.post(TRIAL, {"meter": meter.pk, "sample": "{}"}).status_code == seen


def test_a_draft_activated_meanwhile_keeps_what_it_measures(olga: Staff, in_acme: Tenant) -> None:
    meter = make_meter("tokens", status="draft", filters=FILTERS)
    meters.activate_meter(meter=meter)
    change = {**FORM, "name": "Other", "value_property": "other", "value_expression": ""}
    assert olga.post(page("catalog.meter", "change", meter.pk), change).status_code == 302
    meter.refresh_from_db()
    assert (meter.name, meter.value_property, meter.filters) == ("Other", "tokens", FILTERS)
