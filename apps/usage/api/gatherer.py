"""Requests that wait for each other become one transaction.

While a group of a tenant is being stored, what comes in meanwhile gathers and is the next group. So nothing
waits when there is little to do, and a commit serves the more requests the more there are. Groups are stored in
threads, since Django's connections belong to threads; a few of one tenant at once, so that one tenant's flood
leaves threads to the others.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from django.conf import settings

from apps.access.services.admission import Door, leave
from apps.usage.api.settle import Report, settle

THREADS = 8
# After so many groups in a row a thread lets other tenants have it.
TURN = 16


@dataclass(slots=True)
class Line:
    """Who waits at a door, and how many threads are at work there."""

    waiting: deque[Report] = field(default_factory=deque)
    at_work: int = 0


class Gatherer:
    """One for each process. `submit` is for the event loop; what is below the lock is also for threads."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.lines: dict[Door, Line] = {}
        self.pool = ThreadPoolExecutor(THREADS, thread_name_prefix="groups")

    async def submit(self, door: Door, report: Report) -> None:
        """Return when the report has its outcome. Who is cancelled meanwhile leaves the report in line."""
        with self.lock:
            line = self.lines.setdefault(door, Line())
            line.waiting.append(report)
            is_short_of_hands = line.at_work < settings.INGESTION_GROUPS_AT_ONCE
            line.at_work += is_short_of_hands
        if is_short_of_hands:
            self.pool.submit(self.work, door)
        await report.future

    def work(self, door: Door) -> None:
        for _ in range(TURN):
            group = self.next_group(door)
            if not group:
                break
            settle(door, group)
            group[0].future.get_loop().call_soon_threadsafe(tell, group)
        leave()
        if group:
            self.pool.submit(self.work, door)

    def next_group(self, door: Door) -> list[Report]:
        """Take the next requests out of the line. When there are none, this thread is no longer at work there."""
        with self.lock:
            line = self.lines[door]
            group: list[Report] = []
            room = settings.INGESTION_GROUP_EVENTS
            while line.waiting and len(group) < settings.INGESTION_GROUP_REQUESTS:
                size = line.waiting[0].batch.size
                if group and size > room:
                    break
                group.append(line.waiting.popleft())
                room -= size
            if not group:
                line.at_work -= 1
                if not line.at_work:
                    del self.lines[door]
            return group


def tell(group: Sequence[Report]) -> None:
    """In the event loop: wake those who wait."""
    for report in group:
        if not report.future.done():
            report.future.set_result(None)


def new_future() -> "asyncio.Future[None]":
    return asyncio.get_running_loop().create_future()
