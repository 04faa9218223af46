"""Who may what: roles decide on buttons and, above all, on what a crafted request achieves."""

from apps.access.models import ApiKey
from apps.catalog.models import Meter
from apps.invoices.models import Invoice
from apps.usage.models import QuarantinedEvent
from tests.admin.business import Business
from tests.admin.test_actions import CUSTOMER
from tests.admin.test_pages import FORMS, LISTS, page
from tests.harness.clients import Staff


def actions_of(business: Business) -> list[str]:
    key, event = ApiKey.objects.get(), QuarantinedEvent.objects.filter(event_id="lost-1").get()
    version, meter = (
        business.subscription.plan_version,
        business.subscription.plan_version.prices.get(code="input_tokens").meter,
    )
    assert meter is not None
    return [
        page("invoices.invoice", "finalize", business.draft.pk),
        page("usage.quarantinedevent", "replay", event.pk),
        page("usage.quarantinedevent", "replay_all"),
        page("access.apikey", "limit", key.pk),
        page("access.apikey", "revoke", key.pk),
        page("catalog.meter", "archive", meter.pk),
        page("catalog.planversion", "archive", version.pk),
        page("catalog.planversion", "copy", version.pk),
        page("catalog.planversion", "publish", version.pk),
        page("catalog.plan", "draft_version", version.plan_id),
    ]


def test_a_reader_reads_everything(reader: Staff, business: Business) -> None:
    for model in LISTS:
        assert reader.get(page(model, "changelist")).status_code == 200, model
    for path in ("/admin/", page("customers.customer", "change", business.customer.pk)):
        assert reader.get(path).status_code == 200


def test_a_reader_runs_no_action(reader: Staff, business: Business) -> None:
    for path in actions_of(business):
        assert reader.get(path).status_code == 403, path
        assert reader.post(path).status_code == 403, path
    business.draft.refresh_from_db()
    assert business.draft.is_draft


def test_a_reader_adds_nothing(reader: Staff, business: Business) -> None:
    for model in FORMS:
        assert reader.get(page(model, "add")).status_code == 403, model
        assert reader.post(page(model, "add"), CUSTOMER).status_code == 403, model


def test_a_reader_sees_no_buttons(reader: Staff, business: Business) -> None:
    invoice = reader.get(page("invoices.invoice", "change", business.draft.pk)).content.decode()
    assert "Finalize" not in invoice.replace("is finalized by itself", "")
    assert "Replay all" not in reader.get(page("usage.quarantinedevent", "changelist")).content.decode()
    meter = Meter.objects.get(code="input_tokens")
    shown = reader.get(page("catalog.meter", "change", meter.pk)).content.decode()
    assert page("catalog.meter", "archive", meter.pk) not in shown
    customer = reader.get(page("customers.customer", "change", business.customer.pk)).content.decode()
    assert 'name="_save"' not in customer
    assert "Subscribe to a plan" not in customer


def test_a_readers_list_actions_do_nothing(reader: Staff, business: Business) -> None:
    marked = {"action": "finalize_selected", "_selected_action": [business.draft.pk], "confirmed": "yes"}
    reader.post(page("invoices.invoice", "changelist"), marked)
    assert Invoice.objects.get(pk=business.draft.pk).is_draft


def test_a_reader_imports_nothing(reader: Staff, business: Business) -> None:
    assert reader.get("/admin/customers/customer/import/").status_code == 403
    assert reader.get("/admin/customers/customer/export/").status_code == 200


def test_support_changes_customers_and_nothing_else(sam: Staff, business: Business) -> None:
    assert sam.post(page("customers.customer", "add"), CUSTOMER).status_code == 302
    for path in actions_of(business):
        assert sam.post(path).status_code == 403, path
    assert sam.get(page("catalog.meter", "add")).status_code == 403


def test_somebody_without_a_role_sees_no_numbers(reader: Staff, business: Business) -> None:
    reader.user.groups.clear()
    content = reader.get("/admin/").content.decode()
    for word in ("Accrued", "Drafts", "In quarantine", "Latest invoices", "$3.50"):
        assert word not in content
    assert reader.get(page("invoices.invoice", "changelist")).status_code == 403


def test_nobody_of_globex_gets_in(stan: Staff, business: Business) -> None:
    """Stan's cookie names a session of globex's schema; at acme it is worth nothing."""
    stan.get("/admin/")
    response = stan.get("/admin/", HTTP_HOST="acme.localhost")
    assert response.status_code == 302
    assert response.headers["Location"].startswith("/admin/login/")


def test_operations_makes_no_superuser(olga: Staff, sam: Staff, business: Business) -> None:
    form = {"email": sam.email, "name": "Sam", "is_active": "on", "is_superuser": "on", "is_staff": "on"}
    assert olga.post(page("access.staffuser", "change", sam.user.pk), form).status_code == 302
    sam.user.refresh_from_db()
    assert not sam.user.is_superuser


def test_operations_does_not_touch_a_superuser(olga: Staff, sam: Staff, business: Business) -> None:
    type(sam.user).objects.filter(pk=sam.user.pk).update(is_superuser=True)
    form = {"email": "new@acme.example", "name": "Sam", "is_active": "on"}
    assert olga.post(page("access.staffuser", "change", sam.user.pk), form).status_code == 403
    password = {"password1": "a-new-long-password", "password2": "a-new-long-password"}
    assert olga.post(f"/admin/access/staffuser/{sam.user.pk}/password/", password).status_code == 403
