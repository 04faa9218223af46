"""Number what many events share: their shapes, and the combinations of dimension values. New ones are rare."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from apps.catalog.models import Meter
from apps.usage.models import CONSTANT_ONE
from apps.usage.services.decide import Reading
from apps.usage.services.memory import ADDITIVE, EventPlan, Memory, Shape, ShapeReading
from apps.usage.services.pack import execute, integers, texts, uuids
from apps.usage.services.validate import ParsedEvent, canonical_json

Dimensions = tuple[tuple[str, str], ...]

INSERT_SHAPES = """
INSERT INTO usage_eventshape (key, event_name, source, names, fixed, meter_ids, positions, dimension_set_ids,
                              revision)
SELECT key, event_name, source, ARRAY(SELECT json_array_elements_text(names::json)), fixed, meter_ids::bigint[],
       positions::smallint[], dimension_set_ids::bigint[], revision
  FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
              %s::integer[])
       AS fresh(key, event_name, source, names, fixed, meter_ids, positions, dimension_set_ids, revision)
    ON CONFLICT (key) DO NOTHING
"""
INSERT_SETS = """
INSERT INTO usage_dimensionset (key, "values")
SELECT key, content::jsonb FROM unnest(%s::uuid[], %s::text[]) AS fresh(key, content)
    ON CONFLICT (key) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class ShapeDraft:
    """A shape that has no number yet, with all that decides which one it is."""

    event_name: str
    source: str
    names: tuple[str, ...]
    fixed: str
    readings: tuple[ShapeReading, ...]
    revision: int = 0
    versions: tuple[tuple[int, int], ...] = ()

    @property
    def key(self) -> bytes:
        content: list[Any] = [
            self.event_name,
            self.source,
            self.names,
            self.fixed,
            [(one.meter_id, one.position, one.dimension_set_id) for one in self.readings],
        ]
        if self.revision or self.versions:
            content += [self.revision, self.versions]
        return hashlib.blake2b(msgspec.json.encode(content), digest_size=16).digest()


def draft_of(
    event: ParsedEvent, plan: EventPlan, readings: list[Reading], sets: dict[Dimensions, int]
) -> ShapeDraft:
    """Values that stand in the event as they are read are read there; others are computed and stand behind."""
    fixed = {name: event.properties[name] for name in plan.fixed_names if name in event.properties}
    names = tuple(sorted(name for name in event.properties if name not in fixed))
    rows = []
    computed = 0
    for one in readings:
        measurement = one.measurement
        name = measurement.value_property
        if measurement.aggregation == Meter.Aggregation.COUNT:
            at, source = CONSTANT_ONE, None
        elif name in names and (not isinstance(one.value, str) or event.properties[name] == one.value):
            at, source = names.index(name), name
        else:
            at, source = len(names) + computed, None
            computed += 1
        rows.append(
            ShapeReading(measurement.meter_id, sets[one.dimensions], measurement.aggregation, source, at)
        )
    return ShapeDraft(
        event.event_name,
        event.source,
        names,
        canonical_json(fixed).decode(),
        tuple(rows),
        event.revision,
        plan.versions,
    )


def number_shapes(drafts: Iterable[ShapeDraft]) -> dict[ShapeDraft, Shape]:
    """One query when all are known; new ones are made in the order of their keys."""
    by_key = {draft.key: draft for draft in drafts}
    if not by_key:
        return {}
    found = numbers_of("usage_eventshape", by_key)
    missing = sorted(by_key.keys() - found.keys())
    if missing:
        rows = [by_key[key] for key in missing]
        execute(
            INSERT_SHAPES,
            [
                uuids(missing),
                texts([row.event_name.encode() for row in rows]),
                texts([row.source.encode() for row in rows]),
                texts([msgspec.json.encode(row.names) for row in rows]),
                texts([row.fixed.encode() for row in rows]),
                texts([array(one.meter_id for one in row.readings) for row in rows]),
                texts([array(one.position for one in row.readings) for row in rows]),
                texts([array(one.dimension_set_id for one in row.readings) for row in rows]),
                integers([row.revision for row in rows]),
            ],
        )
        # Read again: another batch may have made the same ones, and its numbers count.
        found |= numbers_of("usage_eventshape", missing)
    return {
        draft: Shape(
            found[key],
            draft.names,
            draft.readings,
            is_additive=all(one.aggregation in ADDITIVE for one in draft.readings),
            is_plain=all(one.position < len(draft.names) for one in draft.readings),
        )
        for key, draft in by_key.items()
    }


def number_dimensions(wanted: set[Dimensions], memory: Memory) -> dict[Dimensions, int]:
    """The numbers of combinations of dimension values. Two meters may name the same ones in another order."""
    found = {one: memory.dimension_sets[one] for one in wanted if one in memory.dimension_sets}
    by_key: dict[bytes, Dimensions] = {dimension_key(one): one for one in wanted if one not in found}
    if by_key:
        numbers = numbers_of("usage_dimensionset", by_key)
        missing = sorted(by_key.keys() - numbers.keys())
        if missing:
            execute(
                INSERT_SETS,
                [uuids(missing), texts([msgspec.json.encode(dict(by_key[key])) for key in missing])],
            )
            numbers |= numbers_of("usage_dimensionset", missing)
        found |= {one: numbers[dimension_key(one)] for one in wanted if one not in found}
    return found


def numbers_of(table: str, keys: Iterable[bytes]) -> dict[bytes, int]:
    rows: list[tuple[Any, ...]] = execute(
        f"SELECT key, id FROM {table} WHERE key = ANY(%s::uuid[])", [uuids(sorted(keys))]
    )
    return {key.bytes: number for key, number in rows}


def array(numbers: Iterable[int]) -> bytes:
    return b"{%s}" % ",".join(map(str, numbers)).encode()


def dimension_key(dimensions: Dimensions) -> bytes:
    return hashlib.blake2b(msgspec.json.encode(sorted(dimensions)), digest_size=16).digest()
