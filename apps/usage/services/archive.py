"""Write the events of one partition into a file, whole and readable without the database, and read it back."""

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
from django.conf import settings
from django.db import connection
from psycopg import sql

from apps.usage.models import ArchivedPartition
from apps.usage.services import archive_files
from apps.usage.services.archive_files import SUFFIXES, Format, Written
from apps.usage.services.partitions import Partition

BLOCK_BYTES = 16 * 1024 * 1024

# What is the same for all events of a shape is put together once: the readings' meters and dimensions.
EVENTS = """
WITH shape AS MATERIALIZED (
    SELECT one.id, one.event_name, one.source, one.names, one.fixed::json AS fixed,
           ARRAY(SELECT reading.position
                   FROM unnest(one.meter_ids, one.positions) WITH ORDINALITY AS reading(meter_id, position, number)
                  WHERE NOT EXISTS (SELECT FROM usage_discardedreading AS former
                                     WHERE former.shape_id = one.id AND former.meter_id = reading.meter_id)
                  ORDER BY reading.number) AS positions,
           ARRAY(SELECT '{{"meter":' || to_json(meter.code)::text || ',"dimensions":' || dimensions."values"::text
                        || ',"value":'
                   FROM unnest(one.meter_ids, one.dimension_set_ids) WITH ORDINALITY
                        AS reading(meter_id, dimension_set_id, number)
                   JOIN catalog_meter AS meter ON meter.id = reading.meter_id
                   JOIN usage_dimensionset AS dimensions ON dimensions.id = reading.dimension_set_id
                  WHERE NOT EXISTS (SELECT FROM usage_discardedreading AS former
                                     WHERE former.shape_id = one.id AND former.meter_id = reading.meter_id)
                  ORDER BY reading.number) AS heads
      FROM usage_eventshape AS one
     WHERE one.id IN (SELECT shape_id FROM {partition})
),
later AS MATERIALIZED (
    SELECT customer_id, "timestamp", event_id, shape_id,
           string_agg('{{"meter":' || to_json(meter.code)::text || ',"dimensions":' || dimensions."values"::text
                      || ',"value":' || to_json(reading.value)::text || '}}', ',' ORDER BY meter.id) AS readings
      FROM usage_backfilledreading AS reading
      JOIN catalog_meter AS meter ON meter.id = reading.meter_id
      JOIN usage_dimensionset AS dimensions ON dimensions.id = reading.dimension_set_id
     WHERE "timestamp" >= {start} AND "timestamp" < {end}
     GROUP BY customer_id, "timestamp", event_id, shape_id
)
SELECT event.event_id, shape.source, shape.event_name, customer.external_id,
       (extract(epoch FROM event."timestamp") * 1000000)::bigint,
       (extract(epoch FROM event.received_at) * 1000000)::bigint,
       coalesce((SELECT json_object_agg(property.name, property.value)
          FROM (SELECT key AS name, value FROM json_each(shape.fixed)
                UNION ALL
                SELECT shape.names[stored.number], stored.value
                  FROM json_array_elements(event.property_values::json) WITH ORDINALITY AS stored(value, number)
                 WHERE stored.number <= cardinality(shape.names)) AS property)::text, '{{}}'),
       '[' || concat_ws(',', (
           SELECT string_agg(
                      reading.head || CASE WHEN reading.position < 0 THEN '"1"' ELSE
                          to_json(event.property_values::json ->> reading.position)::text END || '}}', ',')
             FROM unnest(shape.heads, shape.positions) AS reading(head, position)), later.readings) || ']',
       coalesce(revision.revision, 0),
       (extract(epoch FROM voided.voided_at) * 1000000)::bigint
  FROM {partition} AS event
  JOIN shape ON shape.id = event.shape_id
  JOIN customers_customer AS customer ON customer.id = event.customer_id
  LEFT JOIN later ON later.customer_id = event.customer_id AND later."timestamp" = event."timestamp"
       AND later.event_id = event.event_id AND later.shape_id = event.shape_id
  LEFT JOIN usage_voidedevent AS voided ON voided.customer_id = event.customer_id
       AND voided."timestamp" = event."timestamp" AND voided.event_id = event.event_id
       AND voided.shape_id = event.shape_id
  LEFT JOIN usage_eventrevision AS revision ON revision.customer_id = event.customer_id
       AND revision."timestamp" = event."timestamp" AND revision.event_id = event.event_id
       AND revision.shape_id = event.shape_id
"""
# What must not have changed between the file and the drop: events are only added, corrections come and go.
COUNTS = """
SELECT (SELECT count(*) FROM {partition}),
       (SELECT coalesce(sum(hashtextextended(voided::text, 0)::numeric), 0) FROM usage_voidedevent AS voided
         WHERE "timestamp" >= {start} AND "timestamp" < {end}),
       (SELECT coalesce(sum(hashtextextended(later::text, 0)::numeric), 0) FROM usage_backfilledreading AS later
         WHERE "timestamp" >= {start} AND "timestamp" < {end}),
       (SELECT count(*) FROM usage_discardedreading)
"""
Fingerprint = tuple[int, ...]


class ArchiveError(Exception):
    """A file does not say what the database says. Nothing is dropped."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A file that was read back, and what the partition looked like when it was written."""

    partition: Partition
    file_name: str
    format: str
    written: Written
    fingerprint: Fingerprint


def archive_partition(partition: Partition) -> Archive:
    """Write and verify the file of a partition. Changes nothing in the database; a second run replaces the file.

    Locks nothing that writers need. Raises `ArchiveError` when the file, read back, has
    another number of events or another content.
    """
    format_name = Format(settings.USAGE_ARCHIVE_FORMAT)
    before = ArchivedPartition.objects.filter(partition=partition.name).count()
    number = f"-{before + 1}" if before else ""
    file_name = f"{partition.name}{number}.{SUFFIXES[format_name]}"
    # First: whatever changes from here on is found when the partition is about to be dropped.
    found = fingerprint(partition)
    written = archive_files.write(file_name=file_name, format_name=format_name, blocks=blocks(partition))
    if written.content.row_count != found[0]:
        raise ArchiveError(
            f"{file_name} has {written.content.row_count:,} events, the partition has {found[0]:,}."
        )
    read_back = archive_files.format_of(format_name).read(archive_files.directory() / file_name)
    if read_back != written.content:
        raise ArchiveError(f"{file_name} reads back as something else than was written.")
    return Archive(partition, file_name, format_name, written, found)


def fingerprint(partition: Partition) -> Fingerprint:
    with connection.cursor() as cursor:
        cursor.execute(filled(COUNTS, partition))
        row: Fingerprint = cursor.fetchone()
        return row


def filled(query: str, partition: Partition) -> sql.Composed:
    return sql.SQL(query).format(
        partition=sql.Identifier(partition.name),
        start=sql.Literal(partition.start),
        end=sql.Literal(partition.end),
    )


def blocks(partition: Partition) -> Iterator[bytes]:
    """The events as CSV, in blocks of whole lines. The server sends them as it finds them; none is kept."""
    statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT csv)").format(filled(EVENTS, partition))
    gathered: list[bytes] = []
    size = 0
    with psycopg.Cursor(connection.connection).copy(statement) as copy:
        for line in copy:
            gathered.append(bytes(line))
            size += len(line)
            if size >= BLOCK_BYTES:
                yield b"".join(gathered)
                gathered, size = [], 0
    if gathered:
        yield b"".join(gathered)
