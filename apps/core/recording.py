"""The port through which apps below `audit` (core, tenants, access) leave an audit entry.

`audit` puts its service in here when it is ready; apps above it may call that service directly.
"""

from typing import Any, Protocol

from django.db import models


class Recorder(Protocol):
    def __call__(
        self, *, action: str, target: models.Model, reason: str = "", changes: dict[str, Any] | None = None
    ) -> Any: ...


_recorder: Recorder | None = None


def use_recorder(recorder: Recorder) -> None:
    global _recorder  # noqa: PLW0603 - set once, when the apps are ready
    _recorder = recorder


def record(
    *, action: str, target: models.Model, reason: str = "", changes: dict[str, Any] | None = None
) -> None:
    assert _recorder is not None, "the audit app is not installed"
    _recorder(action=action, target=target, reason=reason, changes=changes)
