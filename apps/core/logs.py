"""Every log line names its tenant and its request."""

import logging

from apps.core import request_context, schema


class ContextFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.tenant = schema.schema_name()
        record.request_id = request_context.current().request_id or "-"
        return True
