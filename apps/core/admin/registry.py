"""What upper apps hang into the pages of lower ones.

The customer page shows what the customer owes, but the customers app may not import invoices. So pages ask
here for panels, and the sidebar for counts; whoever has them registers them when its admin is loaded.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

PanelContext = Callable[[HttpRequest, Any], dict[str, Any] | None]
# Remarks about many records at once, by primary key: one query for a whole list.
Notes = Callable[[Iterable[Any]], dict[Any, str]]
Facts = Callable[[Any], dict[str, Any]]
COUNTED_AT_MOST = 999


@dataclass(frozen=True, slots=True)
class Panel:
    """A part of a record's page. `context` returns what the template needs, or None to leave the panel out."""

    rank: int
    template: str
    permission: str
    context: PanelContext
    is_wide: bool = False


_panels: dict[str, list[Panel]] = {}
_counts: dict[str, Callable[[], int]] = {}
_notes: dict[str, list[Notes]] = {}
_facts: dict[str, list[Facts]] = {}


def register_panel(model: str, panel: Panel) -> None:
    """`model` is a label in lower case, e.g. customers.customer."""
    _panels.setdefault(model, []).append(panel)
    _panels[model].sort(key=lambda one: one.rank)


def panels_of(model: str, request: HttpRequest, record: Any) -> list[dict[str, Any]]:
    """The panels of a record that this person may see, ready to be included."""
    shown = []
    for panel in _panels.get(model, []):
        if not request.user.has_perm(panel.permission):
            continue
        context = panel.context(request, record)
        if context is not None:
            shown.append({"template": panel.template, "is_wide": panel.is_wide, **context})
    return shown


def register_count(name: str, count: Callable[[], int]) -> None:
    """`count` may stop at COUNTED_AT_MOST + 1: the sidebar shows no more than "999+"."""
    _counts[name] = count


def count_text(name: str) -> str:
    """Empty for zero, so that a badge appears only when something waits."""
    counted = _counts[name]() if name in _counts else 0
    if counted > COUNTED_AT_MOST:
        return f"{COUNTED_AT_MOST}+"
    return str(counted) if counted else ""


def register_notes(model: str, notes: Notes) -> None:
    _notes.setdefault(model, []).append(notes)


def notes_on(model: str, records: Iterable[Any]) -> dict[Any, list[str]]:
    """What other apps remark about records of a list, by primary key."""
    found: dict[Any, list[str]] = {}
    listed = list(records)
    for notes in _notes.get(model, []):
        for pk, text in notes(listed).items():
            found.setdefault(pk, []).append(text)
    return found


def register_facts(question: str, facts: Facts) -> None:
    """`question` names an action that asks first, e.g. catalog.planversion.publish."""
    _facts.setdefault(question, []).append(facts)


def facts_for(question: str, record: Any) -> dict[str, Any]:
    """What other apps know that somebody should see before answering a question about a record."""
    found: dict[str, Any] = {}
    for facts in _facts.get(question, []):
        found |= facts(record)
    return found
