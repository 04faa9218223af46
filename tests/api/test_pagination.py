"""Lists: 25 a page, at most 100, the newest first, with a cursor that neither skips nor repeats."""

from base64 import b64encode

import pytest

from apps.tenants.models import Tenant
from tests.harness.clients import Api
from tests.harness.factories import make_customer


@pytest.fixture
def sixty(in_acme: Tenant) -> list[str]:
    """The external ids of sixty customers, the newest first."""
    return [make_customer(f"c{number:02}").external_id for number in range(60)][::-1]


def ids(body: dict) -> list[str]:
    return [one["external_id"] for one in body["data"]]


def test_walks_through_everything_once(sixty: list[str], acme_api: Api) -> None:
    seen, cursor, sizes = [], None, []
    while True:
        body = acme_api.get("/customers", {"cursor": cursor} if cursor else None).json()
        assert set(body) == {"data", "next_cursor"}
        seen += ids(body)
        sizes.append(len(body["data"]))
        cursor = body["next_cursor"]
        if cursor is None:
            break
    assert (seen, sizes) == (sixty, [25, 25, 10])


@pytest.mark.parametrize(
    ("limit", "size"), [("1", 1), ("60", 60), ("100", 60), ("1000", 60), ("0", 25), ("-1", 25), ("many", 25)]
)
def test_takes_a_limit(sixty: list[str], acme_api: Api, limit: str, size: int) -> None:
    assert len(acme_api.get("/customers", {"limit": limit}).json()["data"]) == size


def test_gives_a_hundred_at_most(sixty: list[str], acme_api: Api) -> None:
    for number in range(60, 110):
        make_customer(f"c{number}")
    assert len(acme_api.get("/customers", {"limit": "1000"}).json()["data"]) == 100


def test_what_is_new_does_not_shift_the_pages(sixty: list[str], acme_api: Api) -> None:
    first = acme_api.get("/customers", {"limit": "30"}).json()
    make_customer("new")
    second = acme_api.get("/customers", {"limit": "30", "cursor": first["next_cursor"]}).json()
    assert ids(first) + ids(second) == sixty


def test_a_filter_stays_over_the_pages(sixty: list[str], acme_api: Api) -> None:
    assert ids(acme_api.get("/customers", {"external_id": "c07"}).json()) == ["c07"]
    assert ids(acme_api.get("/customers", {"external_id": "c7"}).json()) == []


def test_the_number_of_queries_does_not_depend_on_the_page(
    sixty: list[str], acme_api: Api, django_assert_max_num_queries
) -> None:
    with django_assert_max_num_queries(8) as one:
        acme_api.get("/customers", {"limit": "1"})
    with django_assert_max_num_queries(len(one)):
        acme_api.get("/customers", {"limit": "60"})


@pytest.mark.parametrize("position", ["abc", "-1", "1.5", "9" * 30, ""])
def test_refuses_a_cursor_that_was_never_given(acme_api: Api, position: str) -> None:
    cursor = b64encode(f"p={position}".encode()).decode()
    assert acme_api.get("/customers", {"cursor": cursor}).status_code in (200, 404)
