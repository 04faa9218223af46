"""Parts of the statements that read what has counted.

Every scan of events goes through the view `usage_reading`, by customer and hour, which is what the index knows, and by
timestamp, for the partitions.
"""

HOUR_OF = "date_bin('1 hour', {}, '2000-01-01 00:00:00+00'::timestamptz)"
# The readings of each row of {0}. The view joins tables and so takes no conditions of a join into it, only those of
# a query of its own, which OFFSET 0 keeps one.
READINGS_OF = """CROSS JOIN LATERAL (
        SELECT reading.* FROM usage_reading AS reading
         WHERE reading.customer_id = {0}.customer_id AND {1} OFFSET 0
      ) AS reading"""
OF_HOUR = 'reading.bucket = {0}.bucket AND reading."timestamp" >= {1} AND reading."timestamp" < {2}'
READINGS_OF_HOUR = READINGS_OF.format("{0}", OF_HOUR)
QUANTITY = "reading.value::numeric"
EVENT_OF_READING = (
    "JOIN usage_usageevent AS event ON event.customer_id = reading.customer_id"
    f" AND {HOUR_OF.format('event.timestamp')} = reading.bucket AND event.timestamp = reading.timestamp"
    " AND event.event_id = reading.event_id AND event.shape_id = reading.shape_id"
    " JOIN usage_eventshape AS shape ON shape.id = event.shape_id"
)
# What a unique count keeps of a value, of any length. Not MD5, which a customer could make collide.
VALUE_HASH = "encode(substring(sha256(convert_to(reading.value, 'UTF8')) FOR 16), 'hex')::uuid"
