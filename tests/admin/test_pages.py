"""Every list, record and form of the tenant's back office opens, and says whose it is."""

from django.urls import reverse

from apps.audit.models import AuditEntry
from apps.catalog.models import Meter, Plan, PlanVersion
from apps.core.admin_sites import tenant_site
from apps.usage.models import QuarantinedEvent, UsageEvent
from tests.admin.business import Business
from tests.harness.clients import Staff

TENANT_URLS = "config.urls_tenant"
# Settings are one page, and prices are listed by their versions.
WITHOUT_LIST = ["catalog.price", "invoices.billingsettings", "usage.usagesettings"]
LISTS = sorted({model._meta.label_lower for model in tenant_site._registry} - set(WITHOUT_LIST))
FORMS = [
    "access.apikey",
    "access.staffuser",
    "auth.group",
    "catalog.feature",
    "catalog.meter",
    "catalog.plan",
    "catalog.pricebook",
    "catalog.product",
    "customers.customer",
    "invoices.legalentity",
    "subscriptions.negotiatedversion",
    "subscriptions.subscription",
    "usage.meterbackfill",
    "usage.usagebackfill",
    "usage.usageimport",
]
RECORDS = [*LISTS, *WITHOUT_LIST]


def page(model: str, view: str, *args: object) -> str:
    return reverse(f"admin:{model.replace('.', '_')}_{view}", urlconf=TENANT_URLS, args=args)


def first_of(model: str) -> object:
    if model == "usage.usagesettings":  # the page is there before the row
        return 1
    (known,) = [one for one in tenant_site._registry if one._meta.label_lower == model]
    record = known._default_manager.first()
    assert record is not None, model
    return record.pk


def test_lists_open(olga: Staff, business: Business) -> None:
    for model in LISTS:
        response = olga.get(page(model, "changelist"))
        assert response.status_code == 200, model
        assert b"Acme" in response.content
        assert b"Live" in response.content


def test_lists_can_be_searched_for_anything(olga: Staff, business: Business) -> None:
    for model in LISTS:
        for term in ("chat", "'; --", "%", "ü/\u0001", "a/b/c"):
            assert olga.get(page(model, "changelist"), {"q": term}).status_code == 200, (model, term)


def test_records_open(olga: Staff, business: Business) -> None:
    for model in RECORDS:
        assert olga.get(page(model, "change", first_of(model))).status_code == 200, model


def test_forms_open(olga: Staff, business: Business) -> None:
    for model in FORMS:
        assert olga.get(page(model, "add")).status_code == 200, model


def test_billing_settings_are_one_page(olga: Staff, business: Business) -> None:
    response = olga.get(page("invoices.billingsettings", "changelist"))
    assert response.headers["Location"] == page("invoices.billingsettings", "change", 1)


def test_usage_settings_are_one_page(olga: Staff, business: Business) -> None:
    response = olga.get(page("usage.usagesettings", "changelist"))
    assert response.headers["Location"] == page("usage.usagesettings", "change", 1)


def test_an_invoice_reads_like_one(olga: Staff, business: Business) -> None:
    content = olga.get(page("invoices.invoice", "change", business.open_invoice.pk)).content.decode()
    for words in (
        business.open_invoice.number or "",
        "Chat Assistant",
        "$52.50",  # 49.00 + 2.50 + 1.00
        "USD 0.0000025 per token",
        "$2.50 per million",
        "1,000,000",
        "How this came about",
    ):
        assert words in content
    assert "Finalize now" not in content


def test_a_line_leads_to_the_events_behind_it(olga: Staff, business: Business) -> None:
    response = olga.get(page("invoices.invoice", "change", business.open_invoice.pk))
    line = response.context["document"]["lines"][1]
    assert line["event_count"] == 1
    events = olga.get(line["events_url"])
    assert [row["event"].event_id for row in events.context["rows"]] == ["call-0"]
    csv = b"".join(olga.get(events.context["csv_url"]).streaming_content).decode().splitlines()
    assert [row.split(",")[1] for row in csv] == ["id", "call-0"]
    explorer = olga.get(line["explorer_url"])
    assert [event.event_id for event in explorer.context["cl"].result_list] == ["call-0"]


def test_a_draft_says_what_will_happen(olga: Staff, business: Business) -> None:
    content = olga.get(page("invoices.invoice", "change", business.draft.pk)).content.decode()
    assert "finalized by itself" in content
    assert "Finalize now" in content


def test_a_customer_is_on_one_page(olga: Staff, business: Business) -> None:
    content = olga.get(page("customers.customer", "change", business.customer.pk)).content.decode()
    for words in ("Payg v1", "Cost to date", "$52.50", business.open_invoice.number or "", "call-2"):
        assert words in content


def test_quarantine_says_why_in_words(olga: Staff, business: Business) -> None:
    event = QuarantinedEvent.objects.get(event_id="lost-1")
    content = olga.get(page("usage.quarantinedevent", "change", event.pk)).content.decode()
    assert "No customer has the external ID" in content
    assert "&quot;input_tokens&quot;: 1000" in content


def test_an_event_is_found_by_its_exact_id(olga: Staff, business: Business) -> None:
    found = olga.get(page("usage.usageevent", "changelist"), {"q": "call-1"}).context["cl"].result_list
    assert [event.event_id for event in found] == ["call-1"]
    assert UsageEvent.objects.count() == 3


def test_an_event_shows_what_it_counted_for(olga: Staff, business: Business) -> None:
    event = UsageEvent.objects.get(event_id="call-0")
    content = olga.get(page("usage.usageevent", "change", event.pk)).content.decode()
    for words in ("Input tokens", "1,000,000", "100,000"):
        assert words in content


def test_the_sidebar_counts_what_waits(olga: Staff, business: Business) -> None:
    groups = olga.get("/admin/").context["sidebar_navigation"]
    badges = {item["title"]: item.get("badge") for group in groups for item in group["items"]}
    assert badges["Quarantine"] == "3"
    assert badges["Invoices"] == "1"


def test_a_sandbox_shows_its_clock(sandra: Staff) -> None:
    content = sandra.get("/admin/").content.decode()
    assert "Sandbox · 1 Jan 2026, 00:00 UTC" in content


def test_signing_in_leads_home_without_a_destination(olga: Staff) -> None:
    olga.client.logout()
    response = olga.post("/admin/login/", {"username": olga.email, "password": olga.password})
    assert (response.status_code, response.headers["Location"]) == (302, "/admin/")


def test_pages_load_nothing_from_elsewhere(olga: Staff, business: Business) -> None:
    for path in (
        "/admin/",
        page("catalog.plan", "changelist"),
        page("invoices.invoice", "change", business.draft.pk),
    ):
        content = olga.get(path).content.decode()
        sources = [
            part.split('"')[0] for mark in ('src="', '<link href="') for part in content.split(mark)[1:]
        ]
        assert sources
        assert [
            source for source in sources if not source.startswith("/static/") and "/jsi18n/" not in source
        ] == []


def test_the_catalog_has_what_the_business_needs(business: Business) -> None:
    """What the tests of this file take for granted."""
    assert (Meter.objects.count(), Plan.objects.count(), PlanVersion.objects.count()) == (2, 1, 2)
    assert AuditEntry.objects.exists()
