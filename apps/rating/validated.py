"""The base of definitions: a value that breaks a rule can't be constructed."""

from collections.abc import Iterator
from dataclasses import dataclass

from apps.rating.errors import DefinitionError, Problem
from apps.rating.values import number_problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Validated:
    """A frozen value whose constructor raises DefinitionError with every problem found."""

    def __post_init__(self) -> None:
        problems = [*number_problems(self), *self.problems()]
        if problems:
            raise DefinitionError(problems)

    def problems(self) -> Iterator[Problem]:
        """Rules that tie several fields together; those of one number stand in its type hint."""
        yield from ()
