"""Cursor pagination: `?limit=` (25, at most 100) and `?cursor=`; `{"data": […], "next_cursor": …}`."""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from rest_framework import pagination
from rest_framework.exceptions import NotFound
from rest_framework.response import Response

POSITION = re.compile(r"[0-9]{1,18}")


class CursorPagination(pagination.CursorPagination):
    page_size = 25
    max_page_size = 100
    page_size_query_param = "limit"
    ordering = "-id"

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"data": data, "next_cursor": self._cursor(self.get_next_link())})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "required": ["data", "next_cursor"],
            "properties": {"data": schema, "next_cursor": {"type": "string", "nullable": True}},
        }

    def decode_cursor(self, request: Any) -> Any:
        """DRF looks at the shape of a cursor only; its position is the id of a row."""
        cursor = super().decode_cursor(request)
        if (
            cursor is not None
            and cursor.position is not None
            and not POSITION.fullmatch(str(cursor.position))
        ):
            raise NotFound(self.invalid_cursor_message)
        return cursor

    @staticmethod
    def _cursor(link: str | None) -> str | None:
        return parse_qs(urlsplit(link).query)["cursor"][0] if link else None
