"""Make the demo's tenants and what they have before any usage. Each step keeps what is there."""

from django.contrib.auth.models import Group
from django_tenants.utils import schema_context, tenant_context

from apps.access.models import StaffUser
from apps.catalog.models import Meter, Plan, PlanVersion
from apps.catalog.services import meters, plans, versions
from apps.core import clock
from apps.customers.models import Customer
from apps.customers.services import customers
from apps.demo.blueprint import (
    CURRENCY,
    DIMENSIONS,
    METERS,
    OPERATOR_EMAIL,
    PASSWORD,
    PLANS,
    DemoPlan,
    DemoTenant,
)
from apps.demo.replays import EVENT_NAME
from apps.demo.services import keys
from apps.invoices.models import LegalEntity
from apps.invoices.selectors import billing_settings
from apps.tenants.models import Tenant
from apps.tenants.selectors import tenant_by_slug
from apps.tenants.services.provision import ProvisionRequest, provision_tenant


def provide_operator() -> None:
    """The platform's operator, in the public schema."""
    with schema_context("public"):
        if not StaffUser.objects.filter(email__iexact=OPERATOR_EMAIL).exists():
            StaffUser.objects.create_superuser(OPERATOR_EMAIL, PASSWORD, name="Operator")


def provide_tenant(demo: DemoTenant) -> Tenant | None:
    """The tenant, provisioned when it is missing. None when somebody else's tenant has the slug: it is left alone."""
    if tenant_by_slug(demo.slug) is None:
        request = ProvisionRequest(staff_email=demo.olga, staff_name="Olga", staff_password=PASSWORD)
        answer = provision_tenant(slug=demo.slug, name=demo.name, request=request)
        # Until now nobody has seen this key, and nobody else will.
        keys.store_key(slug=demo.slug, key=answer["api_key"])
    tenant = tenant_by_slug(demo.slug)
    assert tenant is not None, "it was provisioned just now"
    with tenant_context(tenant):
        is_ours = StaffUser.objects.filter(email__iexact=demo.olga).exists()
    return tenant if is_ours else None


def furnish(demo: DemoTenant) -> None:
    """Staff, billing settings, catalog and customers. Inside the tenant's schema."""
    if demo.sam and not StaffUser.objects.filter(email__iexact=demo.sam).exists():
        sam = StaffUser.objects.create_user(demo.sam, PASSWORD, name="Sam")
        sam.groups.set([Group.objects.get(name="Support")])
    settings = billing_settings()
    settings.draft_grace_hours = demo.draft_grace_hours
    settings.save()
    LegalEntity.objects.filter(is_default=True).update(name=demo.name, address=demo.address)
    for code, name in METERS.items():
        provide_meter(code, name)
    for plan in PLANS:
        provide_plan(plan)
    for one in demo.customers:
        if not Customer.objects.filter(external_id=one.external_id).exists():
            customers.create_customer(external_id=one.external_id, name=one.name, currency=CURRENCY)


def provide_meter(code: str, name: str) -> None:
    if not Meter.objects.filter(code=code).exists():
        meters.create_meter(
            code=code,
            name=name,
            event_name=EVENT_NAME,
            aggregation=Meter.Aggregation.SUM,
            value_property=code,
            dimensions=DIMENSIONS,
            unit="token",
        )


def provide_plan(demo: DemoPlan) -> None:
    """The plan with version 1 on offer; a run that was killed may have left version 1 a draft."""
    version = PlanVersion.objects.filter(plan__code=demo.code, number=1).first()
    if version is None:
        assert not Plan.objects.filter(code=demo.code).exists(), "a plan is made together with version 1"
        version = plans.create_plan(
            code=demo.code,
            name=demo.name,
            currency=CURRENCY,
            prices=demo.prices,
            description=demo.description,
        )
    if version.is_draft:
        versions.publish_version(version=version, now=clock.now())
