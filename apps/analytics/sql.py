"""Statements of the home page."""

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
