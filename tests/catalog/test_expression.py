"""Expressions of meters: what can be written, what it is worth, and where a mistake is."""

import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from apps.catalog.expression import MAX_OPERANDS, Expression, ExpressionError, parse_expression

VALUES = {"a": Decimal(7), "b": Decimal("0.5"), "usage.input": 3, "x-y z": Decimal(2), "min": Decimal(1)}


@pytest.mark.parametrize(
    ("text", "names", "value"),
    [
        ("a", "a", "7"),
        ("a + 5 * b", "a b", "9.5"),
        ("(a + 5) * b", "a b", "6"),
        ("a - b - b", "a b", "6"),
        ("a - (b - b)", "a b", "7"),
        ("b + a + b", "b a", "8"),
        ("-a + 8", "a", "1"),
        ("--a", "a", "7"),
        ("2 * -b", "b", "-1"),
        ("a / 1000", "a", "0.007"),
        ("a / 8 / 2", "a", "0.4375"),
        ("a / 0.25", "a", "28"),
        ("a / 2 * 2", "a", "7"),
        (".5 * a", "a", "3.5"),
        ("min(a, b)", "a b", "0.5"),
        ("max(a - 6, b, 0.75)", "a b", "1"),
        ("max(a)", "a", "7"),
        ("min(min(a, b), max(b, 3)) * 2", "a b", "1"),
        ("min + 1", "min", "2"),
        ("usage.input * 2", "usage.input", "6"),
        ("`x-y z` * `usage.input`", "x-y z|usage.input", "6"),
        ("\ta\n+ 1 ", "a", "8"),
        ("a - a", "a", "0"),
        ("0 * -a", "a", "0"),
    ],
)
def test_what_can_be_written(text: str, names: str, value: str) -> None:
    expression = parse_expression(text)
    assert expression.names == tuple(names.split("|" if "|" in names else " "))
    assert expression.evaluate(VALUES) == Decimal(value)


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("", 0, "is expected here"),
        ("5", 0, "reads no property"),
        ("2 + 3 * min(1, 2)", 0, "reads no property"),
        ("a +", 3, "is expected here"),
        ("a b", 2, "An operator is expected here, not 'b'"),
        ("a 5", 2, "An operator"),
        ("(a + b", 6, "closing parenthesis"),
        ("a)", 1, "An operator"),
        ("a + * b", 4, "is expected here"),
        ("a ** b", 3, "is expected here"),
        ("a // 2", 3, "Divide by a number"),
        ("a $ b", 2, "Can't be read: '$'"),
        ("a × b", 2, "Can't be read"),
        ("`a", 0, "no closing backtick"),
        ("`` + a", 0, "1 to 127 characters"),
        (f"`{'n' * 128}`", 0, "1 to 127 characters"),
        ("a / b", 4, "Divide by a number"),
        ("a / (2)", 4, "Divide by a number"),
        ("a / -2", 4, "Divide by a number"),
        ("a / 0", 4, "by zero"),
        ("a / 0.0", 4, "by zero"),
        ("a / 3", 4, "twos and fives"),
        ("a / 1048576", 4, "more than 18 decimals"),
        ("a * 10000000000000000000", 4, "below 10^19"),
        ("a * 0.0000000000000000001", 4, "at most 18 decimals"),
        ("1e5 * a", 1, "An operator is expected here, not 'e5'"),
        ("sum(a, b)", 0, "no function 'sum'"),
        ("__import__(a)", 0, "no function '__import__'"),
        ("min()", 4, "is expected here"),
        ("min(a,)", 6, "is expected here"),
        ("min(a", 5, "A comma or a closing parenthesis"),
        ("a[0]", 1, "Can't be read"),
        ("'a'", 0, "Can't be read"),
        ("٣ + a", 0, "Can't be read"),
        ("(" * 20 + "a" + ")" * 20, 20, "Nested more than 20 deep"),
        ("-" * 20 + "a", 20, "Nested more than 20 deep"),
        (" + ".join(["a"] * 21), 80, "at most 20"),
        ("a" * 501, 500, "at most 500 characters"),
    ],
)
def test_a_mistake_is_shown_where_it_is(text: str, position: int, message: str) -> None:
    with pytest.raises(ExpressionError, match=re.escape(message)) as error:
        parse_expression(text)
    assert error.value.position == position


def test_nothing_is_plain_zero() -> None:
    assert str(parse_expression("0 * -a").evaluate({"a": 7})) == "0"


def test_the_largest_that_are_allowed() -> None:
    assert parse_expression("(" * 19 + "a" + ")" * 19).evaluate({"a": 1}) == 1
    largest = Decimal("9999999999999999999.999999999999999999")
    product = parse_expression("*".join(["a"] * MAX_OPERANDS)).evaluate({"a": largest})
    assert product is not None
    assert Fraction(product) == Fraction(largest) ** MAX_OPERANDS


@pytest.mark.parametrize(
    ("values", "read"),
    [
        ({"a": Decimal(2), "b": Decimal(3)}, "17"),
        ({"a": Decimal(2)}, "2"),
        ({"a": Decimal(2), "b": None}, "2"),
        ({"b": 3}, "15"),
        ({"a": 0}, "0"),
        ({"c": 3}, None),
        ({"a": None, "b": None}, None),
        ({}, None),
    ],
)
def test_what_is_absent_is_zero_as_long_as_something_is_there(
    values: dict[str, Any], read: str | None
) -> None:
    found = parse_expression("a + 5 * b").evaluate(values)
    assert (None if found is None else str(found)) == read


# A formula as text, at one of three ranks (sum, product, factor), and its worth by other arithmetic.
Formula = tuple[str, int, Callable[[dict[str, Fraction]], Fraction]]
SUM, PRODUCT, FACTOR = range(3)
NAMES = ("a", "b", "usage.input", "x-y z")
NUMBERS = st.decimals("0", "1000", places=3)


def at_least(rank: int, formula: Formula) -> str:
    return formula[0] if formula[1] >= rank else f"({formula[0]})"


def name(text: str) -> Formula:
    return f"`{text}`" if "-" in text else text, FACTOR, lambda values: values[text]


def number(value: Decimal) -> Formula:
    return str(value), FACTOR, lambda values: Fraction(value)


def added(one: Formula, other: Formula) -> Formula:
    text = f"{one[0]} + {at_least(PRODUCT, other)}"
    return text, SUM, lambda values: one[2](values) + other[2](values)


def subtracted(one: Formula, other: Formula) -> Formula:
    text = f"{one[0]} - {at_least(PRODUCT, other)}"
    return text, SUM, lambda values: one[2](values) - other[2](values)


def multiplied(one: Formula, other: Formula) -> Formula:
    text = f"{at_least(PRODUCT, one)}*{at_least(FACTOR, other)}"
    return text, PRODUCT, lambda values: one[2](values) * other[2](values)


def divided(one: Formula, divisor: str) -> Formula:
    text = f"{at_least(PRODUCT, one)} / {divisor}"
    return text, PRODUCT, lambda values: one[2](values) / Fraction(divisor)


def negated(one: Formula) -> Formula:
    return f"-{at_least(FACTOR, one)}", FACTOR, lambda values: -one[2](values)


def chosen(function: Any, some: list[Formula]) -> Formula:
    text = f"{function.__name__}({', '.join(one[0] for one in some)})"
    return text, FACTOR, lambda values: function(one[2](values) for one in some)


def larger(inner: st.SearchStrategy[Formula]) -> st.SearchStrategy[Formula]:
    return st.one_of(
        st.builds(added, inner, inner),
        st.builds(subtracted, inner, inner),
        st.builds(multiplied, inner, inner),
        st.builds(divided, inner, st.sampled_from(["2", "1000", "0.5", "12.5", "1024", "0.0016"])),
        st.builds(negated, inner),
        st.builds(chosen, st.sampled_from([min, max]), st.lists(inner, min_size=1, max_size=3)),
    )


FORMULAS = st.recursive(st.sampled_from(NAMES).map(name) | NUMBERS.map(number), larger, max_leaves=10)
READINGS = st.integers(0, 10**19 - 1).map(Decimal) | st.decimals(
    "0", "9999999999999999999.999999999999999999", places=18
)


def parsed(text: str) -> Expression | ExpressionError:
    try:
        return parse_expression(text)
    except ExpressionError as error:
        return error


@given(formula=FORMULAS, values=st.fixed_dictionaries(dict.fromkeys(NAMES, READINGS)))
def test_it_is_worth_what_fractions_say(formula: Formula, values: dict[str, Decimal]) -> None:
    text, _, worth = formula
    expression = parsed(text)
    if isinstance(expression, ExpressionError):
        assert re.search("at most|Nested|reads no property", expression.message)
        reject()
    found = expression.evaluate(values)
    assert found is not None
    assert Fraction(found) == worth({one: Fraction(value) for one, value in values.items()})


@given(st.text(alphabet="ab1.5+-*/(), `min", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    expression = parsed(text)
    if isinstance(expression, ExpressionError):
        assert 0 <= expression.position <= len(text)
    else:
        assert expression.evaluate(dict.fromkeys(expression.names, Decimal(1))) is not None
