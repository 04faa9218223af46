"""Numbers that people read have commas in thousands; those in links, forms and attributes must not."""

import re
from html import unescape

from django.db import connection

from apps.tenants.models import Tenant
from tests.admin.business import start_business
from tests.admin.test_pages import FORMS, LISTS, RECORDS, first_of, page
from tests.harness.clients import Staff

# 1,234,567 in an attribute that a machine reads.
GROUPED = re.compile(
    r"""(?:href|value|action|data-(?!tip)[a-z-]+|style|x|y|d|points|width|height|viewBox)="[^"]*\b\d{1,3}(?:,\d{3})+\b"""
)
LINK = re.compile(r'href="(/admin/[^"]*)"')
LARGE = 1_234_567
SEQUENCES = """
SELECT format('%I.%I', schemaname, sequencename) FROM pg_sequences
 WHERE schemaname = current_schema() AND data_type <> 'smallint'::regtype
"""


def make_ids_large() -> None:
    with connection.cursor() as cursor:
        cursor.execute(SEQUENCES)
        for (name,) in cursor.fetchall():
            cursor.execute("SELECT setval(%s, greatest(nextval(%s), %s))", [name, name, LARGE])


def test_ids_beyond_a_thousand_stay_plain(in_acme: Tenant, olga: Staff) -> None:
    make_ids_large()
    business = start_business()
    assert business.customer.pk > LARGE
    pages = [page(model, "changelist") for model in LISTS]
    pages += [page(model, "change", first_of(model)) for model in RECORDS]
    pages += [page(model, "add") for model in FORMS]
    linked = set()
    for url in pages:
        content = olga.get(url, follow=True).content.decode()
        assert GROUPED.findall(content) == [], url
        linked |= {unescape(link) for link in LINK.findall(content) if "/jsi18n/" not in link}
    asked = {link for link in linked if re.search(r"[0-9]{7}", link)} - set(pages)
    assert len(asked) > 40
    for url in sorted(asked):
        response = olga.get(url, follow=True)
        assert response.status_code in (200, 403), url
        if not response.streaming:
            assert GROUPED.findall(response.content.decode()) == [], url
