"""The home pages of both back offices. Each part is shown to those who may see the lists it sums up."""

from decimal import Decimal
from typing import Any

from django.http import HttpRequest

from apps.analytics import selectors
from apps.analytics.accrual import RATED_AT_MOST, accrue
from apps.analytics.admin.ingestion import ingestion_of
from apps.analytics.charts import chart_of
from apps.analytics.selectors import CustomerCost
from apps.core import clock, schema
from apps.core.admin.display import age_text, day_text, instant_text, period_text
from apps.invoices.admin.rows import state_text
from apps.invoices.due import parked_subscriptions
from apps.invoices.models import Invoice
from apps.invoices.services.late_after_end import late_after_end
from apps.invoices.waiting import parked
from apps.tenants.models import Tenant
from apps.usage.selectors.cardinality import wide_meters

LATEST_TENANTS = 50


def context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """unfold's DASHBOARD_CALLBACK, for both sites."""
    return {**context, "title": "Home", **(platform(request) if schema.is_public() else tenant(request))}


def tenant(request: HttpRequest) -> dict[str, Any]:
    now = clock.now()
    today, tomorrow = selectors.day_of(now), selectors.day_of(now) + selectors.DAY
    page: dict[str, Any] = {
        "now": instant_text(now),
        "today": day_text(today.date()),
        "month": f"{now:%B %Y}",
        "steps": selectors.first_steps(),
        "api": f"{request.scheme}://{request.get_host()}/api/v1",
    }
    if request.user.has_perm("usage.view_usageevent"):
        is_daily = request.GET.get("usage") == "30d"
        series = selectors.daily_usage(now) if is_daily else selectors.hourly_usage(now)
        events = selectors.events_between(today, tomorrow)
        page |= {
            "is_daily": is_daily,
            "charts": [chart_of(one) for one in series],
            "ingestion": ingestion_of(clock.real_now()),
            "wide_meters": wide_meters(),
            "events_today": f"{min(events, selectors.COUNTED_EVENTS):,}{'+' * (events > selectors.COUNTED_EVENTS)}",
        }
    if request.user.has_perm("usage.view_quarantinedevent"):
        waiting = selectors.quarantine_waiting()
        age = age_text(waiting.oldest, now) if waiting.oldest else ""
        page["quarantine"] = {"count": f"{waiting.count:,}", "age": age}
    if request.user.has_perm("invoices.view_invoice"):
        month = selectors.month_of(now)
        accrual = accrue(starts=sorted({month, today}), end=tomorrow)
        page |= {
            "accrued_today": accrual.sums(today),
            "accrued_month": accrual.sums(month),
            "is_partial": accrual.is_partial,
            "rated": f"{RATED_AT_MOST:,}",
            "subscriptions": f"{accrual.subscriptions:,}",
            "sums": selectors.invoice_sums(),
            "overdue": selectors.overdue_count(now),
            "parked": parked().count(),
            "unbillable": parked_subscriptions().count(),
            "late_after_end": len(late_after_end(now=now)),
            "top_customers": with_shares(selectors.top_customers(accrual, month)),
            "latest_invoices": [row_of(invoice) for invoice in selectors.latest_invoices()],
        }
    return page


def with_shares(costs: list[CustomerCost]) -> list[dict[str, Any]]:
    """Each with the width of its bar, in whole percent of the largest."""
    largest = max((one.cost.amount for one in costs), default=Decimal(0))
    return [
        {
            "customer": one.customer,
            "cost": one.cost,
            "percent": int(one.cost.amount * 100 / largest) if largest else 0,
        }
        for one in costs
    ]


def row_of(invoice: Invoice) -> dict[str, Any]:
    period = period_text(invoice.period_start, invoice.period_end, invoice.customer.time_zone)
    return {"record": invoice, "status": state_text(invoice), "period": period}


def platform(request: HttpRequest) -> dict[str, Any]:
    if not request.user.has_perm("tenants.view_tenant"):
        return {}
    tenants = list(Tenant.objects.prefetch_related("domains").order_by("-created_at")[:LATEST_TENANTS])
    _, _, port = request.get_host().partition(":")
    rows = [
        {
            "record": one,
            "mode": one.mode.title(),
            "state": "In use" if one.provisioned_at else "Unfinished",
            "clock": instant_text(one.clock_at) if one.clock_at else "Real time",
            "url": back_office_of(request, one, port),
        }
        for one in tenants
    ]
    live = Tenant.objects.filter(provisioned_at__isnull=False, is_sandbox=False).count()
    sandboxes = Tenant.objects.filter(provisioned_at__isnull=False, is_sandbox=True).count()
    return {
        "tenants": rows,
        "live": live,
        "sandboxes": sandboxes,
        "unfinished": Tenant.objects.filter(provisioned_at__isnull=True).count(),
        "may_create": request.user.has_perm("tenants.add_tenant"),
    }


def back_office_of(request: HttpRequest, tenant: Tenant, port: str) -> str:
    hosts = [domain.domain for domain in tenant.domains.all()]
    return f"{request.scheme}://{hosts[0]}{':' + port if port else ''}/admin/" if hosts else ""
