"""JSON out: decimals as plain strings, instants as RFC 3339 in UTC."""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from rest_framework.renderers import BaseRenderer

from apps.core.text import instant_text


def _other(value: Any) -> Any:
    if isinstance(value, dict):
        return dict(value)
    if isinstance(value, list | tuple):
        return list(value)
    return str(value)


def _plain(value: Any) -> Any:
    """Decimals leave without an exponent: `0.0000025`, not `2.5E-6`."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return instant_text(value)
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


class JSONRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None
    ) -> bytes:
        if data is None:
            return b""
        plain = _plain(data)
        try:
            return msgspec.json.encode(plain, enc_hook=_other)
        except UnicodeEncodeError:
            # A wrong id or field name may come back with half a surrogate pair in it: written as an escape.
            return json.dumps(plain, separators=(",", ":"), default=_other).encode()
