"""A client of the product's own API: one connection that is kept, and patience with a server that restarts.

Everything it sends may be sent twice without harm (events carry their ids), so whatever is not answered is
sent again.
"""

import gzip
import http.client
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

PREFIX = "/api/v1"
TIMEOUT_SECONDS = 60
PATIENCE_SECONDS = 60
FIRST_WAIT_SECONDS = 0.1
LONGEST_WAIT_SECONDS = 5
PASSING = (429, 500, 502, 503, 504)


class ApiError(Exception):
    """The API said no, or nothing at all. The message is for people."""


class NotFoundError(ApiError):
    pass


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and as whom. An unanswered request is tried again for `patience` seconds; `tell` hears of it once."""

    base_url: str
    key: str
    compress: bool = False
    patience: float = PATIENCE_SECONDS
    tell: Callable[[str], None] = lambda message: None

    def connect(self, stop: threading.Event | None = None) -> "Api":
        return Api(self, stop or threading.Event())


@dataclass(slots=True)
class Api:
    """One keep-alive connection, for one thread. `stop` ends its waiting."""

    endpoint: Endpoint
    stop: threading.Event
    _connection: http.client.HTTPConnection | None = field(default=None, init=False)

    def __enter__(self) -> "Api":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def report(self, events: list[dict[str, Any]]) -> dict[str, Any]:
        """POST /events; the answer counts the verdicts."""
        return self.request("POST", "/events", json.dumps({"events": events}).encode())

    def event(self, event_id: str) -> dict[str, Any] | None:
        """An accepted event, or None."""
        try:
            return self.request("GET", f"/events/{quote(event_id)}")
        except NotFoundError:
            return None

    def now(self, customer: str) -> datetime:
        """The API's present instant: a sandbox has a clock of its own. Raises NotFoundError for an unknown customer."""
        upcoming = self.request("GET", f"/customers/{quote(customer)}/invoices/upcoming")
        return datetime.fromisoformat(upcoming["as_of"]).astimezone(UTC)

    def usage(self, customer: str, start: datetime, end: datetime) -> dict[str, dict[str, Any]]:
        """What each meter shows of a period, by the meter's code."""
        query = urlencode({"start": start.isoformat(), "end": end.isoformat()})
        usage = self.request("GET", f"/customers/{quote(customer)}/usage?{query}")
        return {
            meter["meter"]: {"quantity": meter["quantity"], "event_count": meter["event_count"]}
            for meter in usage["meters"]
        }

    def request(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        """Raises NotFoundError, ApiError; tries again while there is no answer or one that will pass."""
        headers = {"Authorization": f"Bearer {self.endpoint.key}", "Content-Type": "application/json"}
        if body is not None and self.endpoint.compress:
            body = gzip.compress(body, compresslevel=6, mtime=0)
            headers["Content-Encoding"] = "gzip"
        deadline = time.monotonic() + self.endpoint.patience
        wait = 0.0  # a connection that idled too long is only closed: no reason to wait the first time
        while True:
            try:
                status, content = self._exchange(method, path, body, headers)
                if status < HTTPStatus.BAD_REQUEST:
                    answer: dict[str, Any] = json.loads(content)
                    return answer
                trouble = problem(status, content)
                if status not in PASSING:
                    raise NotFoundError(trouble) if status == HTTPStatus.NOT_FOUND else ApiError(trouble)
            except (OSError, http.client.HTTPException) as error:
                trouble = str(error) or type(error).__name__
            self.close()
            if time.monotonic() + wait > deadline or self.stop.wait(wait):
                raise ApiError(
                    f"{self.endpoint.base_url} gives no answer ({trouble}). Is it running? "
                    "Call this again when it is: what has arrived is not counted twice."
                )
            if wait == FIRST_WAIT_SECONDS:
                self.endpoint.tell(
                    f"No answer ({trouble}); trying for {self.endpoint.patience:.0f} seconds …"
                )
            wait = min(max(wait * 2, FIRST_WAIT_SECONDS), LONGEST_WAIT_SECONDS)

    def _exchange(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        url = urlsplit(self.endpoint.base_url)
        if self._connection is None:
            is_secure = url.scheme == "https"
            kind = http.client.HTTPSConnection if is_secure else http.client.HTTPConnection
            self._connection = kind(url.hostname or "localhost", url.port, timeout=TIMEOUT_SECONDS)
        self._connection.request(method, url.path.rstrip("/") + PREFIX + path, body, headers)
        response = self._connection.getresponse()
        return response.status, response.read()


def problem(status: int, content: bytes) -> str:
    """What a problem document says, or the status where there is none."""
    try:
        found = json.loads(content)
        return f"{status} {found['code']}: {found['detail']}"
    except (ValueError, KeyError, TypeError):
        return f"status {status}"
