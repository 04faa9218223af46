"""A year of customers with random changes, late events and failures, all from one seed.

Nothing here depends on the order in which threads come to their turn: whatever they leave is done by one worker
before the next choice is made.
"""

from contextlib import suppress

from apps.core.errors import Refused
from apps.invoices.models import Invoice
from apps.invoices.services.park_subscription import release_all
from tests.simulation.catalog import Catalog
from tests.simulation.clients import Clients
from tests.simulation.extras import Extras
from tests.simulation.teams import Teams
from tests.simulation.workers import Workers
from tests.simulation.world import DAY, HOUR


class Year(Clients, Teams, Extras, Catalog, Workers):
    """`live` it, then `finish` it: afterwards nothing is left to bill."""

    def live(self) -> None:
        steps = [
            (self.use, 12), (self.correct, 2), (self.join, 3), (self.change, 7), (self.regroup, 2), (self.publish, 1),
            (self.bill, 8), (self.settle, 1), (self.take_back, 1), (self.bill_late, 1), (self.other_grace, 1),
        ]  # fmt: skip
        ways, weights = zip(*steps, strict=True)
        for _ in self.customers:
            self.join()
        while self.now < self.end:
            self.now += self.chance.choice([1, 5, 11, 23, 37]) * HOUR * 8 / max(8, len(self.customers) / 2)
            self.chance.choices(ways, weights)[0]()

    def finish(self) -> None:
        """Everybody leaves; then close, finalize and reissue until there is nothing left to do."""
        self.note("the end begins")
        for life in self.lives:
            if not life.is_over:
                with suppress(Refused):
                    self.cancel(
                        life, self.row(life), {"subscription": self.row(life), "now": self.now, "when": "now"}
                    )
        self.now += 3 * DAY
        for _ in range(20):
            release_all(reason="Mended", now=self.now)
            self.beat()
            self.now += 4 * DAY
            is_drafted = Invoice.objects.filter(status="draft").exists()
            if not self.reissue_all() and not is_drafted and not self.bill_late():
                return
        raise AssertionError("there is always something left to do")
