"""A group of requests becomes one transaction: in a thread, in the tenant's schema, each request with its outcome.

Nothing is taken on trust from an earlier request: the tenant with its clock and the keys are read anew for each
group, so that a revoked key is refused from the next group on, by every process.
"""

import logging
from asyncio import Future
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from django.db import InterfaceError, OperationalError, connection
from psycopg_pool import PoolTimeout

from apps.access.models import ApiKey, Scope
from apps.access.services import admission
from apps.access.services.admission import Door
from apps.access.services.rate_limit import limit_of, take
from apps.core import clock
from apps.core.errors import Refused
from apps.usage.services import ingest as ingestion
from apps.usage.wire import answer
from apps.usage.wire.batch import Batch

log = logging.getLogger(__name__)


class Unavailable(Refused):
    """Nothing is wrong with the request; sending it again is right and safe."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    headers = {"Retry-After": "1"}


class Broken(Refused):
    status = HTTPStatus.INTERNAL_SERVER_ERROR


class NotAdmitted(Exception):
    """The key is not valid at this door, or may not report usage. Which of them, the API's own classes say."""


@dataclass(slots=True)
class Report:
    """One request. `future` belongs to the event loop in which somebody waits for `outcome`."""

    key_hash: bytes
    batch: Batch
    name_all: bool
    request_id: str
    future: "Future[None]"
    outcome: bytes | Refused | NotAdmitted | None = None
    is_paid: bool = False


def settle(door: Door, reports: Sequence[Report]) -> None:
    """Give each report its outcome; raises nothing. Afterwards this thread may go on, or must `leave`.

    A connection that was lost is replaced and the group tried once more: what had been committed all the same
    is a duplicate then, which is a success. Any other failure may be the fault of one request, and so each is
    tried on its own.
    """
    error = attempt(door, reports)
    if error is not None and is_connection_lost(error) and not isinstance(error.__cause__, PoolTimeout):
        log.warning("The connection to the database was lost: %s", error)
        connection.close()
        error = attempt(door, reports)
    if error is None:
        return
    if len(reports) > 1 and not is_connection_lost(error):
        log.warning("A group of %d requests failed and is tried one by one: %r", len(reports), error)
        for report in reports:
            settle(door, [report])
        return
    connection.close()
    for report in reports:
        if report.outcome is None:
            report.outcome = failure(error, report)


def attempt(door: Door, reports: Sequence[Report]) -> Exception | None:
    try:
        take_in(door, [report for report in reports if report.outcome is None])
    except Exception as error:  # noqa: BLE001 - somebody waits for each of these requests
        return error
    return None


def take_in(door: Door, reports: Sequence[Report]) -> None:
    welcome = admit(door, reports)
    events = [event for report in welcome for event in report.batch.events]
    verdicts = ingestion.ingest(events=events, now=clock.now()) if events else []
    start = 0
    for report in welcome:
        end = start + len(report.batch.events)
        report.outcome = answer.encoded(report.batch, verdicts[start:end], name_all=report.name_all)
        start = end


def admit(door: Door, reports: Sequence[Report]) -> list[Report]:
    """Enter the tenant's schema; who may not come in, or not yet, has an outcome then."""
    of_key: dict[bytes, list[Report]] = {}
    for report in reports:
        of_key.setdefault(report.key_hash, []).append(report)
    api_keys = admission.enter(door=door, key_hashes=of_key)
    for key_hash, same in of_key.items():
        api_key = api_keys.get(key_hash)
        if api_key is not None and may_report(api_key):
            pay(api_key, [report for report in same if not report.is_paid])
        else:
            for report in same:
                report.outcome = NotAdmitted()
    return [report for report in reports if report.outcome is None]


def pay(api_key: ApiKey, reports: Sequence[Report]) -> None:
    """Take all from the key's bucket at once. When that is too much, who came first is served first."""
    if limit_of(api_key) is None or not reports:
        return
    try:
        take(api_key=api_key, events=sum(report.batch.size for report in reports))
    except Refused as refused:
        if len(reports) == 1:
            reports[0].outcome = refused
        else:
            for report in reports:
                pay(api_key, [report])
    else:
        for report in reports:
            report.is_paid = True


def is_admitted(door: Door, key_hash: bytes) -> bool:
    """Say whether a key may report usage here, and leave no connection behind. Raises `Unavailable`."""
    try:
        return may_report(admission.enter(door=door, key_hashes=[key_hash]).get(key_hash))
    except (OperationalError, InterfaceError) as error:
        log.error("A key could not be looked up.", exc_info=error)
        raise unavailable() from error
    finally:
        admission.leave()


def may_report(api_key: ApiKey | None) -> bool:
    return api_key is not None and Scope.EVENTS_WRITE in api_key.scopes


def is_connection_lost(error: Exception) -> bool:
    """Or was not to be had: then waiting for one again, request by request, would take for ever."""
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    return connection.connection is None or bool(connection.connection.closed)


def failure(error: Exception, report: Report) -> Refused:
    log.error("Request %s failed.", report.request_id, exc_info=error)
    return unavailable() if isinstance(error, OperationalError | InterfaceError) else broken()


def unavailable() -> Unavailable:
    return Unavailable("unavailable", "The events could not be stored just now; send them again.")


def broken() -> Broken:
    return Broken("internal_error", "Something broke here. Quote the request_id when you report it.")
