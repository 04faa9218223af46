"""Every log line names its tenant and its request."""

import logging

from django.db import connection

from apps.core import request_context


class ContextFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.tenant = getattr(connection, "schema_name", "-")
        record.request_id = request_context.current().request_id or "-"
        return True
