"""Works out the arithmetic that the golden tables show, exactly and without any code of the product."""

import re
from fractions import Fraction

_TOKEN = re.compile(r"\s*([0-9][0-9,]*(?:\.[0-9]+)?|[-+×/()])")
_SIGNS = {"−": "-", "÷": "/", "*": "×"}


def value_of(expression: str) -> Fraction:
    """Evaluate `2 × (5 + 1.5) − 1/3`; commas group digits. The usual precedence, and nothing else."""
    for sign, plain in _SIGNS.items():
        expression = expression.replace(sign, plain)
    tokens = _TOKEN.findall(expression)
    left_over = _TOKEN.sub("", expression).strip()
    assert tokens, f"no arithmetic in {expression!r}"
    assert not left_over, f"{left_over!r} in {expression!r} is no arithmetic"
    result = _sum(tokens)
    assert not tokens, f"{tokens} left over in {expression!r}"
    return result


def _sum(tokens: list[str]) -> Fraction:
    result = _product(tokens)
    while tokens and tokens[0] in "+-":
        result = result + _product(tokens) if tokens.pop(0) == "+" else result - _product(tokens)
    return result


def _product(tokens: list[str]) -> Fraction:
    result = _number(tokens)
    while tokens and tokens[0] in "×/":
        result = result * _number(tokens) if tokens.pop(0) == "×" else result / _number(tokens)
    return result


def _number(tokens: list[str]) -> Fraction:
    token = tokens.pop(0)
    if token == "-":
        return -_number(tokens)
    if token != "(":
        return Fraction(token.replace(",", ""))
    result = _sum(tokens)
    assert tokens.pop(0) == ")"
    return result
