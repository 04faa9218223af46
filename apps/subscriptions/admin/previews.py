"""The port through which a page shows what a change would do to invoices, which live above.

`invoices` puts its preview in here when its admin is loaded.
"""

from collections.abc import Callable
from typing import Any

from apps.subscriptions.models import Subscription

# Called like a verb: `(verb, *, subscription, now, **arguments)`; gives a template and what it needs.
Previewer = Callable[..., dict[str, Any]]

_previewer: Previewer | None = None


def use_previewer(previewer: Previewer) -> None:
    global _previewer  # noqa: PLW0603 - set once, when the admin is loaded
    _previewer = previewer


def preview_of(
    verb: Callable[..., Subscription], *, subscription: Subscription, now: Any, **arguments: Any
) -> dict[str, Any]:
    """Raises what the verb raises. Nothing is left of what it did."""
    assert _previewer is not None, "the invoices app is not installed"
    return _previewer(verb, subscription=subscription, now=now, **arguments)
