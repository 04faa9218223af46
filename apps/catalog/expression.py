"""What a meter reads off an event, as a small formula: `input_tokens + 5 * output_tokens`.

    sum      = product (("+" | "-") product)*
    product  = factor ("*" factor | "/" number)*
    factor   = "-" factor | number | name | ("min" | "max") "(" sum ("," sum)* ")" | "(" sum ")"
    name     = letters, digits, "_" and "." not starting with a digit or "."; any other in `backticks`

A text becomes closures over the values of its names. Nothing is ever handed to the interpreter. Pure Python, exact:
there is no division but by a number that has a finite reciprocal.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow
from functools import lru_cache
from typing import NamedTuple

MAX_LENGTH = 500
MAX_DEPTH = 20
MAX_OPERANDS = 20
MAX_NAME = 127
# Of a constant, and of what one divides by: a reading has no more.
MAX_DECIMALS = 18
MAX_CONSTANT = 10**19

# Wide enough for a product of twenty readings; what would not fit raises instead of being rounded.
EXACT = Context(
    prec=4000, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[Inexact, InvalidOperation, Overflow, DivisionByZero]
)
TOKEN = re.compile(
    r"(?P<space>\s+)|(?P<number>\d+(?:\.\d+)?|\.\d+)|(?P<name>[A-Za-z_][A-Za-z0-9_.]*)"
    r"|`(?P<quoted>[^`]*)`|(?P<sign>[-+*/(),])",
    re.ASCII,
)
END = "end"

Number = Decimal | int
Term = Callable[[Sequence[Number]], Number]


class ExpressionError(ValueError):
    """The text is no expression. `position` counts characters from 0."""

    def __init__(self, position: int, message: str) -> None:
        super().__init__(message)
        self.position = position
        self.message = message


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed formula. `names` are the properties it reads, in the order in which they first appear."""

    text: str
    names: tuple[str, ...]
    _term: Term = field(repr=False, compare=False)

    def evaluate(self, values: Mapping[str, Number | None]) -> Decimal | None:
        """The exact value; what is absent counts as 0. None when none of its properties is there.

        The values are readings: `apps.catalog.measure.fits` says which numbers can be. Whether the result can be one
        is for the caller to ask.
        """
        found = [values.get(name) for name in self.names]
        present = [0 if value is None else value for value in found]
        if None in found and all(value is None for value in found):
            return None
        # Plus turns an int into a Decimal and -0 into 0.
        return EXACT.plus(self._term(present))


@lru_cache(maxsize=1024)
def parse_expression(text: str) -> Expression:
    """Raises `ExpressionError` with the position of what can't be read."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(MAX_LENGTH, f"An expression has at most {MAX_LENGTH} characters.")
    parser = Parser(list(tokens_of(text)))
    term = parser.sum()
    token = parser.token
    if token.kind != END:
        raise ExpressionError(token.position, f"An operator is expected here, not {token.text!r}.")
    if not parser.names:
        raise ExpressionError(0, "The expression reads no property of the event.")
    return Expression(text, tuple(parser.names), term)


class Token(NamedTuple):
    kind: str
    text: str
    position: int


def tokens_of(text: str) -> Iterator[Token]:
    position = 0
    while position < len(text):
        found = TOKEN.match(text, position)
        if found is None:
            what = "The name has no closing backtick." if text[position] == "`" else "Can't be read:"
            raise ExpressionError(position, what if text[position] == "`" else f"{what} {text[position]!r}.")
        kind = str(found.lastgroup)
        if kind != "space":
            yield Token(kind, found[kind], position)
        position = found.end()
    yield Token(END, "", len(text))


class Parser:
    """Recursive descent, one method for each line of the grammar."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0
        self.operands = 0
        self.names: dict[str, int] = {}

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def take(self) -> Token:
        token = self.token
        self.at += 1
        return token

    def takes(self, signs: str) -> str:
        """The sign that comes next when it is one of these, else the empty text."""
        token = self.token
        if token.kind == "sign" and token.text in signs:
            self.at += 1
            return token.text
        return ""

    def expect(self, sign: str, what: str) -> None:
        if not self.takes(sign):
            raise ExpressionError(self.token.position, what)

    def sum(self) -> Term:
        term = self.product()
        while sign := self.takes("+-"):
            term = combined(EXACT.add if sign == "+" else EXACT.subtract, term, self.product())
        return term

    def product(self) -> Term:
        term = self.factor()
        while sign := self.takes("*/"):
            other = self.factor() if sign == "*" else constant(self.reciprocal())
            term = combined(EXACT.multiply, term, other)
        return term

    def factor(self) -> Term:
        self.depth += 1
        token = self.take()
        if self.depth > MAX_DEPTH:
            raise ExpressionError(token.position, f"Nested more than {MAX_DEPTH} deep.")
        match token.kind, token.text:
            case "sign", "-":
                term = negated(self.factor())
            case "sign", "(":
                term = self.sum()
                self.expect(")", "A closing parenthesis is expected here.")
            case "number", _:
                term = constant(self.number(token))
            case (("name" | "quoted"), _):
                is_call = token.kind == "name" and self.token[:2] == ("sign", "(")
                term = self.call(token) if is_call else self.operand(token)
            case _:
                raise ExpressionError(
                    token.position, "A property, a number or a parenthesis is expected here."
                )
        self.depth -= 1
        return term

    def call(self, token: Token) -> Term:
        function = {"min": min, "max": max}.get(token.text)
        if function is None:
            raise ExpressionError(token.position, f"There is no function {token.text!r}; use min or max.")
        self.take()
        terms = [self.sum()]
        while self.takes(","):
            terms.append(self.sum())
        self.expect(")", "A comma or a closing parenthesis is expected here.")
        return chosen(function, terms)

    def operand(self, token: Token) -> Term:
        self.count(token)
        if not 0 < len(token.text) <= MAX_NAME:
            raise ExpressionError(token.position, f"A property's name has 1 to {MAX_NAME} characters.")
        place = self.names.setdefault(token.text, len(self.names))
        return lambda values: values[place]

    def number(self, token: Token) -> Decimal:
        self.count(token)
        number = Decimal(token.text)
        if number >= MAX_CONSTANT or len(token.text.partition(".")[2]) > MAX_DECIMALS:
            raise ExpressionError(
                token.position, f"A number is below 10^19 and has at most {MAX_DECIMALS} decimals."
            )
        return number

    def reciprocal(self) -> Decimal:
        token = self.take()
        if token.kind != "number":
            raise ExpressionError(token.position, "Divide by a number, like 1000: nothing else stays exact.")
        number = self.number(token)
        if not number:
            raise ExpressionError(token.position, "Nothing can be divided by zero.")
        try:
            found = EXACT.divide(1, number).normalize(EXACT)
        except Inexact:
            found = None
        if found is None or int(found.as_tuple().exponent) < -MAX_DECIMALS:
            raise ExpressionError(
                token.position,
                f"Dividing by {token.text} leaves more than {MAX_DECIMALS} decimals, or has no end of them. Divide by "
                "a product of twos and fives, like 1000 or 1024, or show the meter in a larger unit instead.",
            )
        return found

    def count(self, token: Token) -> None:
        self.operands += 1
        if self.operands > MAX_OPERANDS:
            raise ExpressionError(
                token.position, f"An expression has at most {MAX_OPERANDS} properties and numbers."
            )


def constant(number: Decimal) -> Term:
    return lambda values: number


def negated(term: Term) -> Term:
    return lambda values: EXACT.minus(term(values))


def combined(operation: Callable[[Number, Number], Decimal], left: Term, right: Term) -> Term:
    return lambda values: operation(left(values), right(values))


def chosen(function: Callable[[list[Number]], Number], terms: list[Term]) -> Term:
    return lambda values: function([term(values) for term in terms])
