"""Move the events of the wide table into the narrow ones, in batches; their totals stay as they are."""

import hashlib
import json
from datetime import UTC, datetime, timedelta

from django.db import migrations

from apps.core.api.parsers import decode_json
from apps.usage.identity import content_of
from apps.usage.services.partitions import ensure_partitions
from apps.usage.services.validate import canonical_json

BATCH = 5_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def move(apps, editor):
    cursor = editor.connection.cursor()
    if editor.connection.schema_name == "public":
        return
    customers = dict(apps.get_model("customers", "Customer").objects.values_list("pk", "external_id"))
    EventShape = apps.get_model("usage", "EventShape")
    shapes = {}
    last = None
    while True:
        cursor.execute(
            "SELECT key, source, event_id, event_name, customer_id, timestamp, received_at, properties::text,"
            ' meter_ids, "values"::text[], dimension_set_ids FROM usage_wideevent'
            " WHERE %s::uuid IS NULL OR key > %s::uuid ORDER BY key LIMIT %s",
            [last, last, BATCH],
        )
        rows = cursor.fetchall()
        if not rows:
            break
        last = rows[-1][0]
        ensure_partitions({row[5] for row in rows})
        keys, events = [], []
        for key, source, event_id, name, customer, at, received, text, meters, values, sets in rows:
            properties = json.loads(text, parse_float=Number, parse_int=Number)
            names = sorted(properties)
            shape = (name, source, tuple(names), tuple(meters), tuple(sets))
            if shape not in shapes:
                digest = hashlib.blake2b(repr(shape).encode(), digest_size=16).hexdigest()
                shapes[shape] = EventShape.objects.create(
                    key=digest,
                    event_name=name,
                    source=source,
                    names=names,
                    fixed="{}",
                    meter_ids=meters,
                    positions=[len(names) + number for number in range(len(meters))],
                    dimension_set_ids=sets,
                ).pk
            stored = [*(dump(properties[one]) for one in names), *values]
            events.append((at, received, customer, shapes[shape], event_id, f"[{','.join(stored)}]"))
            keys.append((key, content(name, customers[customer], at, received, text), at, customer))
        cursor.executemany(
            "INSERT INTO usage_eventkey (key, content, timestamp, customer_id) VALUES (%s, %s, %s, %s)", keys
        )
        cursor.executemany(
            "INSERT INTO usage_usageevent (timestamp, received_at, customer_id, shape_id, event_id, property_values)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            events,
        )
    cursor.execute(
        "SELECT key, event_name, customer_reference, timestamp, received_at, properties::text, status"
        " FROM usage_quarantinedevent"
    )
    for key, name, customer, at, received, text, status in cursor.fetchall():
        hashed = content(name, customer, at, received, text)
        cursor.execute("UPDATE usage_quarantinedevent SET content = %s WHERE key = %s", [hashed, key])
        if status == "waiting":
            cursor.execute("INSERT INTO usage_eventkey VALUES (%s, %s, %s, NULL)", [key, hashed, at])


class Number(str):
    """A number as it was written."""


def dump(value):
    """JSON with numbers as they were written."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{dump(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dump, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def content(name, customer, at, received, text):
    """As ingestion would, for a client that named the customer by its external id."""
    micros = None if at == received else (at - EPOCH) // timedelta(microseconds=1)
    properties = decode_json(text.encode())
    return content_of(
        event_name=name,
        customer=customer,
        timestamp=micros,
        names=canonical_json(sorted(properties)),
        values=canonical_json([properties[one] for one in sorted(properties)]),
    )


class Migration(migrations.Migration):
    dependencies = [("usage", "0005_narrow_partitioned_events")]
    operations = [migrations.RunPython(move, migrations.RunPython.noop)]
