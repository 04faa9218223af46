"""A slug is a DNS label, a part of the API key and the name of a schema."""

import pytest

from apps.core.errors import Invalid
from apps.tenants.services.provision import refuse_bad_slug


@pytest.mark.parametrize("slug", ["a", "acme", "north-wind", "a1", "x" * 40, "a--b"])
def test_a_good_one_passes(slug: str) -> None:
    refuse_bad_slug(slug)


BAD = ["", "Acme", "-a", "a-", "a_b", "1a", "a b", "a.b", "ä", "a" * 41, "a;b", 'a"b', "a\nb", "a\n"]
RESERVED = ["public", "www", "api", "admin", "pg-x", "information-schema", "localhost"]


@pytest.mark.parametrize("slug", [*BAD, *RESERVED])
def test_a_bad_one_is_refused(slug: str) -> None:
    with pytest.raises(Invalid) as refused:
        refuse_bad_slug(slug)
    assert (refused.value.code, refused.value.param) == ("invalid_slug", "/slug")
