"""Every page of the back office with a session of the other tenant: the sign-in page or nothing of acme's."""

import re
from collections.abc import Iterator

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver
from django_tenants.utils import tenant_context

from apps.core.admin_sites import platform_site, tenant_site
from apps.tenants.models import Tenant
from tests.harness.clients import Staff
from tests.harness.evidence import nothing_changes_in
from tests.tenants.furnished import Furnished

# Pages that anybody may see: signing in, and texts of the user interface.
OPEN_PAGES = ("/admin/login/", "/admin/jsi18n/")
# The next page repeats the id that was asked for: the asker's own words.
ECHO = re.compile(r"with ID “[^”]*” doesn’t exist")


def patterns(
    entries: list[URLPattern | URLResolver], before: str = ""
) -> Iterator[tuple[str, dict[str, object]]]:
    for entry in entries:
        route = before + str(entry.pattern).lstrip("^")
        if isinstance(entry, URLResolver):
            yield from patterns(entry.url_patterns, route)
        else:
            yield route, entry.pattern.converters


def filled(route: str, converters: dict[str, object], pk: str) -> str:
    """A path for a route: every parameter is the id of a row of acme's, or anything."""
    known = {"object_id": pk, "id": pk, "content_type_id": "1", "app_label": "customers", "url": ""}
    for name in converters:
        for kind in ("path", "str", "int", "slug"):
            route = route.replace(f"<{kind}:{name}>", known.get(name, pk))
    # The one pattern of the admin that is a regular expression: its catch-all, and lists of applications.
    return route.replace("(?P<app_label>auth|access)/$", "access/").replace("(?P<url>.*)$", "nothing/")


def acme_urls() -> list[str]:
    """All pages of the tenants' site: those of each registered model with ids of acme's, and the site's own."""
    urls = [
        f"/admin/{filled(route, found, '1')}"
        for route, found in patterns(tenant_site.get_urls())
        if "<" not in filled(route, found, "1")
    ]
    for model, model_admin in tenant_site._registry.items():
        pk = str(model._default_manager.values_list("pk", flat=True).first() or 1)
        base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        for route, found in patterns(model_admin.get_urls()):
            urls.append(base + filled(route, found, pk))
    return sorted({url for url in urls if not url.startswith("/admin/logout")})


def ask(client: Client, url: str, host: str) -> Iterator[tuple[str, HttpResponse]]:
    yield "GET", client.get(url, headers={"host": host})
    yield (
        "POST",
        client.post(
            url, {"_selected_action": "1", "action": "delete_selected", "post": "yes"}, headers={"host": host}
        ),
    )


@pytest.fixture
def urls(acme: Tenant, furnished: Furnished) -> list[str]:
    with tenant_context(acme):
        found = acme_urls()
    assert len(found) > 50
    return found


def test_every_model_of_the_spine_has_its_pages(urls: list[str]) -> None:
    """The walk would be short if the pages were not registered."""
    for page in (
        "customers/customer", "catalog/meter", "catalog/plan", "subscriptions/subscription", "usage/usageevent",
        "usage/quarantinedevent", "invoices/invoice", "access/apikey", "access/staffuser", "audit/auditentry",
    ):  # fmt: skip
        assert f"/admin/{page}/" in urls


def test_a_cookie_of_globex_leads_to_the_sign_in_page_of_acme(
    urls: list[str], furnished: Furnished, stan: Staff
) -> None:
    client = stan.client
    with nothing_changes_in("acme", "public", "sandbox"):
        for url in urls:
            if url.startswith(OPEN_PAGES):
                continue
            for method, response in ask(client, url, "acme.localhost"):
                label = f"{method} {url}: {response.status_code}"
                assert response.status_code in (302, 403, 404), label
                if response.status_code == 302:
                    assert "/admin/login/" in response["Location"], label
                assert not [secret for secret in furnished.secrets if secret in response.content.decode()], (
                    label
                )


def test_acme_s_ids_show_nothing_at_globex(urls: list[str], furnished: Furnished, stan: Staff) -> None:
    client = stan.client
    with nothing_changes_in("acme", "public", "sandbox"):
        for url in urls:
            for method, response in ask(client, url, "globex.localhost"):
                text = (
                    response.getvalue().decode()
                    if response.streaming
                    else response.content.decode(errors="replace")
                )
                text = ECHO.sub("", text.replace(url, ""))
                leaked = [secret for secret in furnished.secrets if secret in text]
                assert not leaked, f"{method} {url}: {leaked}"
                assert response.status_code < 500, f"{method} {url}"


def test_acme_s_own_staff_see_it(urls: list[str], furnished: Furnished, olga: Staff) -> None:
    """The walks above would pass for a wrong reason if the pages were broken."""
    seen = {url: olga.get(url) for url in urls}
    assert not [url for url, response in seen.items() if response.status_code >= 500]
    assert furnished.customer.name in seen["/admin/customers/customer/"].content.decode()
    shown = seen[f"/admin/customers/customer/{furnished.customer.pk}/change/"]
    assert furnished.customer.public_id in shown.content.decode()


def test_staff_of_a_tenant_are_nobody_on_the_platform(furnished: Furnished, olga: Staff) -> None:
    for entry, _ in patterns(platform_site.get_urls()):
        if "<" in entry or "(" in entry or entry.startswith(("login", "logout", "jsi18n")):
            continue
        response = olga.client.get(f"/admin/{entry}", headers={"host": "localhost"})
        assert response.status_code == 302, entry
        assert "/admin/login/" in response["Location"]


def test_the_operator_of_the_platform_is_nobody_in_a_tenant(furnished: Furnished, petra: Staff) -> None:
    for url in ("/admin/", "/admin/customers/customer/"):
        response = petra.client.get(url, headers={"host": "acme.localhost"})
        assert (response.status_code, response["Location"].split("?")[0]) == (302, "/admin/login/")


def test_the_platform_does_not_name_a_tenant_s_tables(petra: Staff) -> None:
    platform = {model._meta.app_label for model in platform_site._registry}
    assert platform.isdisjoint({"customers", "catalog", "subscriptions", "usage", "invoices"})
    tenants = {model._meta.app_label for model in tenant_site._registry}
    assert tenants.isdisjoint({"tenants", "django_celery_beat"})
    assert petra.get("/admin/customers/customer/").status_code == 404


@pytest.mark.parametrize(
    ("email", "host"),
    [
        ("olga@acme.example", "globex.localhost"),
        ("stan@globex.example", "acme.localhost"),
        ("petra@platform.example", "acme.localhost"),
        ("olga@acme.example", "localhost"),
    ],
)
def test_a_password_opens_only_its_own_tenant(olga: Staff, stan: Staff, email: str, host: str) -> None:
    client = Client(HTTP_HOST=host)
    response = client.post("/admin/login/", {"username": email, "password": olga.password})
    assert response.status_code == 200
    assert "sessionid" not in client.cookies
    assert client.get("/admin/").status_code == 302


def test_an_unknown_host_has_no_pages(acme: Tenant) -> None:
    assert Client(HTTP_HOST="nobody.localhost").get("/admin/").status_code == 404
