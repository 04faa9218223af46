"""Errors of rating. An error carries every problem found, each with a stable code and a pointer."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: a stable code, a JSON pointer (RFC 6901), and a sentence."""

    code: str
    pointer: str
    message: str

    def below(self, prefix: str) -> Self:
        """The same problem seen from the object that holds this one at `prefix`."""
        return replace(self, pointer=prefix + self.pointer)


class RatingError(Exception):
    """A value that can't be rated. `code`, `pointer` and `message` are those of the first problem."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{found.pointer or '/'}: {found.message}" for found in self.problems))

    @classmethod
    def of(cls, code: str, message: str, pointer: str = "") -> Self:
        return cls([Problem(code, pointer, message)])

    @property
    def code(self) -> str:
        return self.problems[0].code

    @property
    def pointer(self) -> str:
        return self.problems[0].pointer

    @property
    def message(self) -> str:
        return self.problems[0].message


class DefinitionError(RatingError):
    """A price definition is wrong. Constructors raise it too, so no bad definition can exist."""


class UsageError(RatingError):
    """The usage is wrong, or lacks what the price model needs (events for a dynamic price, for instance)."""


class CurrencyError(RatingError):
    """A currency is unknown, has no minor unit, or differs from the one of the price."""
