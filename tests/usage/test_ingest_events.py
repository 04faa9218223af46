"""POST /events: a verdict for each event."""

from tests.harness.clients import Api
from tests.harness.factories import an_event, make_customer, make_plan


def test_accepts_an_event(in_acme, acme_api: Api) -> None:
    make_customer()
    make_plan()
    assert acme_api.report(an_event())["accepted"] == 1


def test_commits(fresh_database, in_acme, acme_api: Api) -> None:
    make_customer()
    make_plan()
    assert acme_api.report(an_event())["accepted"] == 1
