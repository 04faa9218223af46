"""Statements over all customers at once.

A subscription bills usage from `started_at` on, which may lie within an hour of the totals. So its usage is
taken from whole days, from whole hours before the first of them, and from raw events before the first hour.
"""

PRICED_USAGE = """
WITH billed AS (
    SELECT subscription.customer_id, price.id AS price_id, price.meter_id, price.unit_amount, version.currency,
           GREATEST(subscription.started_at, %(start)s) AS from_at
      FROM subscriptions_subscription AS subscription
      JOIN catalog_planversion AS version ON version.id = subscription.plan_version_id
      JOIN catalog_price AS price ON price.plan_version_id = version.id AND price.meter_id IS NOT NULL
     WHERE subscription.status = 'active' AND subscription.started_at < %(end)s
), bounded AS (
    SELECT billed.*,
           date_bin('1 hour', from_at + interval '1 hour - 1 microsecond', timestamptz '2000-01-01Z') AS hours_from,
           date_bin('1 day', from_at + interval '1 day - 1 microsecond', timestamptz '2000-01-01Z') AS days_from
      FROM billed
), used AS (
    SELECT bounded.customer_id, price_id, unit_amount, currency, total.quantity
      FROM bounded
      JOIN usage_rollupday AS total ON total.customer_id = bounded.customer_id AND total.meter_id = bounded.meter_id
       AND total.bucket >= days_from AND total.bucket < %(end)s
    UNION ALL
    SELECT bounded.customer_id, price_id, unit_amount, currency, total.quantity
      FROM bounded
      JOIN usage_rolluphour AS total ON total.customer_id = bounded.customer_id AND total.meter_id = bounded.meter_id
       AND total.bucket >= hours_from AND total.bucket < LEAST(days_from, %(end)s)
     WHERE hours_from < days_from
    UNION ALL
    SELECT bounded.customer_id, price_id, unit_amount, currency, reading.quantity
      FROM bounded
      JOIN usage_usageevent AS event ON event.customer_id = bounded.customer_id
       AND event."timestamp" >= from_at AND event."timestamp" < LEAST(hours_from, %(end)s)
     CROSS JOIN LATERAL unnest(event.meter_ids, event."values") AS reading(meter_id, quantity)
     WHERE from_at < hours_from AND reading.meter_id = bounded.meter_id
)
"""
BY_PRICE = "SELECT price_id, trim_scale(sum(quantity)) FROM used GROUP BY price_id"
BY_CUSTOMER = """
SELECT customer_id, currency, sum(quantity * unit_amount) AS amount FROM used
 GROUP BY customer_id, currency HAVING sum(quantity * unit_amount) > 0
 ORDER BY amount DESC, customer_id LIMIT %(limit)s
"""
EVENTS_AT_MOST = """
SELECT count(*) FROM (
    SELECT 1 FROM usage_usageevent WHERE "timestamp" >= %s AND "timestamp" < %s LIMIT %s
) AS counted
"""
FIRST_STEPS = """
SELECT EXISTS (SELECT 1 FROM catalog_meter),
       EXISTS (SELECT 1 FROM catalog_planversion WHERE status = 'published'),
       EXISTS (SELECT 1 FROM customers_customer),
       EXISTS (SELECT 1 FROM subscriptions_subscription),
       EXISTS (SELECT 1 FROM usage_usageevent)
"""
