"""The careful way from events to rows: whatever is new, unusual or wrong, with a query for all that is unknown."""

from dataclasses import dataclass
from typing import Any

from apps.customers.selectors import customer_ids_by_reference
from apps.usage.models import CONSTANT_ONE, QuarantinedEvent
from apps.usage.services.decide import Reading, readings_of
from apps.usage.services.memory import EventPlan, Memory, Shape, ShapeKey
from apps.usage.services.reading import Row, values_json
from apps.usage.services.shapes import ShapeDraft, draft_of, number_dimensions, number_shapes
from apps.usage.services.validate import ParsedEvent, Rejection

Reason = QuarantinedEvent.Reason
REMEMBERED_TYPES = frozenset({str, type(None)})


@dataclass(frozen=True, slots=True)
class Uncountable:
    """A well-formed event that has to wait for staff."""

    event: ParsedEvent
    reason: Reason


@dataclass(slots=True)
class Learned:
    """What a batch found out. It is put into the memory when the batch is committed, not before."""

    customers: dict[str, int]
    shapes: list[tuple[EventPlan, ShapeKey, Shape]]
    dimension_sets: dict[tuple[tuple[str, str], ...], int]

    def put_into(self, memory: Memory) -> None:
        memory.learn(self.customers, self.dimension_sets)
        for plan, key, shape in self.shapes:
            plan.remember(key, shape)


@dataclass(slots=True)
class CarefullyRead:
    rows: list[Row]
    waiting: list[Uncountable]
    rejected: list[tuple[ParsedEvent, Rejection]]
    learned: Learned


def read_carefully(events: list[ParsedEvent], memory: Memory) -> CarefullyRead:
    """Decide on well-formed events. At most one query each for customers, dimension sets and shapes, when all
    of them are known to the database; two more where some are new.

    Values are checked before the customer is: a malformed event would only be malformed again after a replay.
    """
    # Another thread may start the memory's customers anew meanwhile.
    known = memory.customers
    unknown = {event.customer for event in events if event.customer not in known}
    new_customers = customer_ids_by_reference(unknown) if unknown else {}
    found = CarefullyRead([], [], [], Learned({}, [], {}))
    countable: list[tuple[ParsedEvent, EventPlan, int, list[Reading]]] = []
    for event in events:
        plan = memory.plans.get(event.event_name)
        try:
            readings = [] if plan is None else readings_of(event.properties, plan.measurements)
        except Rejection as rejection:
            found.rejected.append((event, rejection))
            continue
        customer_id = known.get(event.customer) or new_customers.get(event.customer)
        if customer_id is None:
            found.waiting.append(Uncountable(event, Reason.UNKNOWN_CUSTOMER))
        elif plan is None:
            found.waiting.append(Uncountable(event, Reason.UNKNOWN_METER))
        elif not readings:
            found.waiting.append(Uncountable(event, Reason.MISSING_VALUE))
        else:
            countable.append((event, plan, customer_id, readings))

    sets = number_dimensions({one.dimensions for _, _, _, readings in countable for one in readings}, memory)
    drafts = [draft_of(event, plan, readings, sets) for event, plan, _, readings in countable]
    shapes = number_shapes(drafts)
    found.learned = Learned(new_customers, [], sets)
    for (event, plan, customer_id, readings), draft in zip(countable, drafts, strict=True):
        shape = shapes[draft]
        found.rows.append(row_of(event, customer_id, draft, shape, readings))
        key = shape_key(event, plan)
        if key is not None:
            found.learned.shapes.append((plan, key, shape))
    return found


def row_of(
    event: ParsedEvent, customer_id: int, draft: ShapeDraft, shape: Shape, readings: list[Reading]
) -> Row:
    stored: list[Any] = [event.properties[name] for name in draft.names]
    stored += [
        one.value
        for one, shaped in zip(readings, draft.readings, strict=True)
        if shaped.position >= len(draft.names) and shaped.position != CONSTANT_ONE
    ]
    return Row(
        event.key,
        event.content,
        event.micros,
        customer_id,
        shape,
        event.event_id.encode(),
        values_json(stored),
        tuple(one.value for one in readings),
        event.index,
    )


def shape_key(event: ParsedEvent, plan: EventPlan) -> ShapeKey | None:
    """What tells events of this shape from others at a glance; None when a glance is not enough."""
    fixed = tuple(map(event.properties.get, plan.fixed_names))
    if not set(map(type, fixed)) <= REMEMBERED_TYPES or None in event.properties.values():
        return None
    return event.source, tuple(event.properties), fixed
