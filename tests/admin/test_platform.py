"""The operator's back office."""

from django.urls import reverse
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from apps.audit.models import AuditEntry
from apps.core.admin_sites import platform_site, tenant_site
from apps.tenants.models import Tenant
from tests.harness.clients import Staff

LISTS = sorted(model._meta.label_lower for model in platform_site._registry)
BUSINESS = {"apikey", "customer", "invoice", "meter", "plan", "planversion", "subscription", "usageevent"}


def page(model: str, view: str, *args: object) -> str:
    return reverse(f"admin:{model.replace('.', '_')}_{view}", urlconf="config.urls_platform", args=args)


def test_lists_open(petra: Staff) -> None:
    for model in LISTS:
        assert petra.get(page(model, "changelist")).status_code == 200, model


def test_a_task_is_slowed_down_with_an_entry(petra: Staff) -> None:
    every = [IntervalSchedule.objects.create(every=seconds, period="seconds") for seconds in (30, 60)]
    task = PeriodicTask.objects.create(name="run-due-jobs", task="tenants.run_due_jobs", interval=every[0])
    url = page("django_celery_beat.periodictask", "change", task.pk)
    assert petra.get(url).status_code == 200
    form = {"enabled": "on", "interval": every[1].pk, "crontab": "", "description": "", "task": "forged"}
    assert petra.post(url, form).status_code == 302
    task.refresh_from_db()
    assert (task.interval, task.task) == (every[1], "tenants.run_due_jobs")
    assert AuditEntry.objects.get(action="periodic_task.changed").actor == petra.email


def test_home_lists_the_tenants(petra: Staff, acme: Tenant) -> None:
    content = petra.get("/admin/").content.decode()
    for words in ("Platform", "Acme", "http://acme.localhost/admin/", "Live", "Sandbox", "New tenant"):
        assert words in content


def test_the_platform_has_no_business_and_tenants_no_platform() -> None:
    ours = {model._meta.model_name for model in platform_site._registry}
    theirs = {model._meta.model_name for model in tenant_site._registry}
    assert not ours & BUSINESS
    assert not theirs & {"tenant", "domain", "periodictask"}


def test_a_tenant_is_renamed_with_an_entry(petra: Staff, acme: Tenant) -> None:
    form = {"name": "Acme Corporation", "slug": "other", "schema_name": "globex"}
    assert petra.post(page("tenants.tenant", "change", acme.pk), form).status_code == 302
    acme.refresh_from_db()
    assert (acme.name, acme.slug, acme.schema_name) == ("Acme Corporation", "acme", "acme")
    assert AuditEntry.objects.get(action="tenant.changed").actor == petra.email


def test_a_bad_slug_is_refused_on_the_form(petra: Staff) -> None:
    response = petra.post(page("tenants.tenant", "add"), {"slug": "Not A Slug", "staff_email": "o@x.example"})
    assert response.status_code == 200
    assert "slug" in response.context["form"].errors


def test_a_clock_is_for_sandboxes(petra: Staff) -> None:
    form = {
        "slug": "newcomer",
        "staff_email": "o@x.example",
        "clock_at_0": "2026-01-01",
        "clock_at_1": "00:00",
    }
    response = petra.post(page("tenants.tenant", "add"), form)
    assert "clock_at" in response.context["form"].errors
    assert not Tenant.objects.filter(slug="newcomer").exists()


def test_a_tenant_is_made_and_its_secrets_are_shown_once(fresh_database: str, petra: Staff) -> None:
    form = {"slug": "newcomer", "name": "Newcomer", "staff_email": "ops@newcomer.example", "is_sandbox": "on"}
    response = petra.post(page("tenants.tenant", "add"), form)
    answer = response.context["answer"]
    content = response.content.decode()
    assert answer["staff"]["password"] in content
    assert answer["api_key"] in content
    assert "no-store" in response.headers["Cache-Control"]
    tenant = Tenant.objects.get(slug="newcomer")
    assert (tenant.mode, tenant.provisioned_at is not None) == ("sandbox", True)
    assert AuditEntry.objects.get(action="tenant.created").target_label == "Newcomer"
    for path in ("/admin/", page("tenants.tenant", "change", tenant.pk)):
        assert answer["api_key"] not in petra.get(path).content.decode()
    newcomer = Staff(tenant, "ops@newcomer.example")
    newcomer.client.logout()
    signed_in = newcomer.post(
        "/admin/login/", {"username": newcomer.email, "password": answer["staff"]["password"]}
    )
    assert signed_in.status_code == 302
