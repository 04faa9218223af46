"""Errors that people and integrators are meant to read.

A service raises `Refused` when a rule of the business says no. The API turns it into a problem
document, the admin into a message on the form; neither has to know the rule.
"""

from collections.abc import Mapping
from http import HTTPStatus


class Refused(Exception):
    """A rule says no. `code` is stable and for programs, `message` says what to do, `param` points into the input.

    `errors` lists every problem when there are several, each with param, code and message.
    """

    status = HTTPStatus.CONFLICT
    # What the answer says beside the problem document, such as Retry-After.
    headers: Mapping[str, str] = {}

    def __init__(
        self, code: str, message: str, *, param: str = "", errors: list[dict[str, str]] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param
        self.errors = errors


class Invalid(Refused):
    """The input itself is wrong: answered with 400 and a pointer to the field."""

    status = HTTPStatus.BAD_REQUEST


class Missing(Refused):
    """What the input names does not exist in this tenant."""

    status = HTTPStatus.NOT_FOUND


class Forbidden(Refused):
    """The key or the person may not do this."""

    status = HTTPStatus.FORBIDDEN
