"""From decoded JSON to typed fields, guided by the type hints of a dataclass. Nothing is repaired.

A number is a plain decimal string ("0.000002"), an int, or a Decimal. Floats are refused, because they have
already lost digits; so are exponents, NaN and Infinity. A field that is null counts as absent.
"""

import re
import typing
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from decimal import Decimal
from enum import StrEnum
from types import NoneType
from typing import Any, TypeVar

from apps.rating.errors import Problem, RatingError
from apps.rating.exact import ONE
from apps.rating.values import Rule, hints_of, number_rule

_DECIMAL = re.compile(r"-?[0-9]{1,50}(\.[0-9]{1,50})?")
_INTEGER = re.compile(r"-?[0-9]{1,50}")

T = TypeVar("T")


class UnreadableError(Exception):
    """A value that can't be decoded, with every problem found in it."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(problems)
        self.problems = problems


def decode_fields(
    cls: type, data: Mapping[str, object], pointer: str, foreign: frozenset[str] = frozenset()
) -> tuple[dict[str, Any], list[Problem]]:
    """Decode an object's fields: the values of those that are readable, and the problems of the others.

    A name in `foreign` is known but belongs elsewhere (`field_not_allowed`); any other is an `unknown_field`.
    """
    hints = hints_of(cls)
    values: dict[str, Any] = {}
    problems = list(_foreign_fields(data, hints, pointer, foreign))
    for item in fields(cls):
        hint, raw, place = hints[item.name], data.get(item.name), f"{pointer}/{item.name}"
        if raw is None:
            if _is_required(item):
                if NoneType in typing.get_args(hint):
                    values[item.name] = None
                else:
                    problems.append(Problem("missing_field", place, "This field is required"))
            continue
        try:
            values[item.name] = _decode(hint, raw, place)
        except UnreadableError as error:
            problems.extend(error.problems)
    return values, problems


def decode_object(cls: type[T], data: object, pointer: str = "") -> T:
    """Decode a nested object. Raises UnreadableError; pointers count from the outermost object."""
    if not isinstance(data, Mapping):
        raise UnreadableError([Problem("invalid_type", pointer, "Must be an object")])
    values, problems = decode_fields(cls, data, pointer)
    if problems:
        raise UnreadableError(problems)
    try:
        return cls(**values)
    except RatingError as error:
        raise UnreadableError([problem.below(pointer) for problem in error.problems]) from error


def placeholders(cls: type, missing: set[str]) -> dict[str, Any]:
    """Stand-ins for required numbers that could not be read, so that other rules can be checked."""
    return {
        item.name: ONE
        for item in fields(cls)
        if item.name in missing and _is_required(item) and number_rule(hints_of(cls)[item.name])
    }


def _foreign_fields(
    data: Mapping[str, object], hints: Mapping[str, object], pointer: str, foreign: frozenset[str]
) -> Iterator[Problem]:
    for name in data:
        if name in hints:
            continue
        place = f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}"
        if name in foreign:
            yield Problem("field_not_allowed", place, "This field doesn't belong to this price model")
        else:
            yield Problem("unknown_field", place, "There is no such field")


def _is_required(item: Field[Any]) -> bool:
    return item.default is MISSING and item.default_factory is MISSING


def _decode(hint: object, raw: object, pointer: str) -> object:
    if (found := number_rule(hint)) is not None:
        return _decode_number(*found, raw, pointer)
    kind = _without_none(hint)
    if typing.get_origin(kind) is tuple:
        return _decode_list(typing.get_args(kind)[0], raw, pointer)
    assert isinstance(kind, type)
    if is_dataclass(kind):
        return decode_object(kind, raw, pointer)
    if issubclass(kind, StrEnum):
        if not isinstance(raw, str) or raw not in list(kind):
            raise UnreadableError([Problem("invalid_choice", pointer, f"Must be one of {', '.join(kind)}")])
        return kind(raw)
    if type(raw) is not kind:
        name = "true or false" if kind is bool else "a string"
        raise UnreadableError([Problem("invalid_type", pointer, f"Must be {name}")])
    return raw


def _without_none(hint: object) -> object:
    if NoneType in (options := typing.get_args(hint)):
        return next(option for option in options if option is not NoneType)
    return hint


def _decode_list(hint: object, raw: object, pointer: str) -> tuple[object, ...]:
    if not isinstance(raw, (list, tuple)):
        raise UnreadableError([Problem("invalid_type", pointer, "Must be a list")])
    items: list[object] = []
    problems: list[Problem] = []
    for index, item in enumerate(raw):
        try:
            items.append(_decode(hint, item, f"{pointer}/{index}"))
        except UnreadableError as error:
            problems.extend(error.problems)
    if problems:
        raise UnreadableError(problems)
    return tuple(items)


def _decode_number(kind: type[Decimal | int], rule: Rule, raw: object, pointer: str) -> Decimal | int:
    pattern, name = (_DECIMAL, "decimal") if kind is Decimal else (_INTEGER, "integer")
    accepted = (int, Decimal) if kind is Decimal else (int,)
    if isinstance(raw, str):
        if pattern.fullmatch(raw) is None:
            raise UnreadableError(
                [Problem("invalid_number", pointer, f'Must be a plain {name} such as "12"')]
            )
    elif isinstance(raw, bool) or not isinstance(raw, accepted):
        message = f"Must be {name} as a string or an int, never a float"
        raise UnreadableError([Problem("invalid_type", pointer, message)])
    # A zero keeps no sign and no exponent: spelling out 0e-999999999999 would fill the memory.
    value = kind(raw) or kind(0)
    if (problem := rule.problem(value, pointer)) is not None:
        raise UnreadableError([problem])
    return value
