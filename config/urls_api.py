"""/api/v1/: one place that lists every route of the integrators' API."""

from django.urls import URLPattern, path

from apps.catalog.api.meters import MeterActivate, MeterArchive, MeterDetail, MeterList
from apps.catalog.api.preview import PricePreview
from apps.catalog.api.references import (
    FeatureDetail,
    FeatureList,
    PriceBookDetail,
    PriceBookList,
    ProductDetail,
    ProductList,
)
from apps.catalog.api.views import (
    PlanDetail,
    PlanList,
    PlanVersionArchive,
    PlanVersionDetail,
    PlanVersionList,
    PlanVersionPublish,
)
from apps.customers.api.views import CustomerDetail, CustomerList
from apps.invoices.api.actions import (
    InvoiceMarkPaid,
    InvoiceMarkUncollectible,
    InvoiceRefresh,
    InvoiceReissue,
    InvoiceRelease,
    InvoiceReopen,
    InvoiceVoid,
)
from apps.invoices.api.backfill_preview import BackfillPreview
from apps.invoices.api.billing_runs import BillingRunDetail, BillingRunList
from apps.invoices.api.late_usage import LateUsage, SubscriptionBillLateUsage
from apps.invoices.api.legal_entities import (
    InvoiceTerms,
    LegalEntityDetail,
    LegalEntityList,
    LegalEntityMakeDefault,
)
from apps.invoices.api.line_events import InvoiceLineEvents
from apps.invoices.api.one_off_charges import (
    SubscriptionChargePreview,
    SubscriptionCharges,
    SubscriptionChargeWithdraw,
    SubscriptionChargeWithdrawPreview,
)
from apps.invoices.api.parked_subscriptions import (
    ParkedSubscriptionList,
    SubscriptionCloseNow,
    SubscriptionRelease,
)
from apps.invoices.api.subscription_previews import preview_view
from apps.invoices.api.team_previews import BillToParentPreview, StopBillingToParentPreview
from apps.invoices.api.usage_summary import UsageSummary
from apps.invoices.api.views import (
    InvoiceDetail,
    InvoiceFinalize,
    InvoiceLineList,
    InvoiceList,
    UpcomingInvoice,
)
from apps.subscriptions.api import add_ons, verbs
from apps.subscriptions.api.actions import verb_view
from apps.subscriptions.api.add_ons import SubscriptionAddOns
from apps.subscriptions.api.team_billings import BillToParent, StopBillingToParent, TeamBillingList
from apps.subscriptions.api.verbs import Verb
from apps.subscriptions.api.views import SubscriptionDetail, SubscriptionList
from apps.tenants.api.views import AdvanceTestClock
from apps.usage.api.backfills import (
    BackfillClose,
    BackfillDetail,
    BackfillDiscard,
    BackfillEvents,
    BackfillList,
    BackfillRevert,
    MeterBackfillList,
)
from apps.usage.api.corrections import CorrectionList, EventAmend, EventsVoid
from apps.usage.api.usage import CustomerUsage, UsageList
from apps.usage.api.views import EventDetail, Events


def routes_of(verb: Verb, below: str = "", kind: str = "") -> list[URLPattern]:
    """What is done to a subscription, and what it would do to its invoices."""
    at = f"subscriptions/<str:public_id>/{below}{verb.name}"
    name = f"subscription-{kind}{verb.name.replace('_', '-')}"
    return [
        path(at, verb_view(verb), name=name),
        path(f"{at}/preview", preview_view(verb), name=f"{name}-preview"),
    ]


urlpatterns = [
    path("events", Events.as_view(), name="events"),
    path("events/<path:event_id>", EventDetail.as_view(), name="event"),
    path("corrections", CorrectionList.as_view(), name="corrections"),
    path("corrections/void", EventsVoid.as_view(), name="events-void"),
    path("corrections/amend", EventAmend.as_view(), name="event-amend"),
    path("backfills", BackfillList.as_view(), name="backfills"),
    path("backfills/<str:backfill_id>", BackfillDetail.as_view(), name="backfill"),
    path("backfills/<str:backfill_id>/events", BackfillEvents.as_view(), name="backfill-events"),
    path("backfills/<str:backfill_id>/preview", BackfillPreview.as_view(), name="backfill-preview"),
    path("backfills/<str:backfill_id>/close", BackfillClose.as_view(), name="backfill-close"),
    path("backfills/<str:backfill_id>/revert", BackfillRevert.as_view(), name="backfill-revert"),
    path("backfills/<str:backfill_id>/discard", BackfillDiscard.as_view(), name="backfill-discard"),
    path("customers", CustomerList.as_view(), name="customers"),
    path("customers/<str:customer>", CustomerDetail.as_view(), name="customer"),
    path("customers/<str:customer>/team_billings", TeamBillingList.as_view(), name="team-billings"),
    path("customers/<str:customer>/bill_to_parent", BillToParent.as_view(), name="bill-to-parent"),
    path(
        "customers/<str:customer>/bill_to_parent/preview",
        BillToParentPreview.as_view(),
        name="bill-to-parent-preview",
    ),
    path(
        "customers/<str:customer>/stop_billing_to_parent/preview",
        StopBillingToParentPreview.as_view(),
        name="stop-billing-to-parent-preview",
    ),
    path(
        "customers/<str:customer>/stop_billing_to_parent",
        StopBillingToParent.as_view(),
        name="stop-billing-to-parent",
    ),
    path("usage", UsageList.as_view(), name="usage"),
    path("customers/<str:customer>/usage", CustomerUsage.as_view(), name="customer-usage"),
    path("customers/<str:customer>/usage/summary", UsageSummary.as_view(), name="usage-summary"),
    path("customers/<str:customer>/invoices/upcoming", UpcomingInvoice.as_view(), name="upcoming-invoice"),
    path("customers/<str:customer>/invoice_terms", InvoiceTerms.as_view(), name="invoice-terms"),
    path("meters", MeterList.as_view(), name="meters"),
    path("meters/<str:code>", MeterDetail.as_view(), name="meter"),
    path("meters/<str:code>/activate", MeterActivate.as_view(), name="meter-activate"),
    path("meters/<str:code>/archive", MeterArchive.as_view(), name="meter-archive"),
    path("meters/<str:code>/backfills", MeterBackfillList.as_view(), name="meter-backfills"),
    path("plans", PlanList.as_view(), name="plans"),
    path("plans/<str:code>", PlanDetail.as_view(), name="plan"),
    path("plans/<str:code>/versions", PlanVersionList.as_view(), name="plan-versions"),
    path(
        "plans/<str:code>/versions/<int:number>/publish",
        PlanVersionPublish.as_view(),
        name="plan-version-publish",
    ),
    path("plans/<str:code>/versions/<int:number>", PlanVersionDetail.as_view(), name="plan-version"),
    path(
        "plans/<str:code>/versions/<int:number>/archive",
        PlanVersionArchive.as_view(),
        name="plan-version-archive",
    ),
    path("prices/preview", PricePreview.as_view(), name="price-preview"),
    path("products", ProductList.as_view(), name="products"),
    path("products/<str:code>", ProductDetail.as_view(), name="product"),
    path("features", FeatureList.as_view(), name="features"),
    path("features/<str:code>", FeatureDetail.as_view(), name="feature"),
    path("price_books", PriceBookList.as_view(), name="price-books"),
    path("price_books/<str:code>", PriceBookDetail.as_view(), name="price-book"),
    path("subscriptions", SubscriptionList.as_view(), name="subscriptions"),
    path("subscriptions/<str:public_id>", SubscriptionDetail.as_view(), name="subscription"),
    *[route for verb in verbs.ALL for route in routes_of(verb)],
    path("subscriptions/<str:public_id>/release", SubscriptionRelease.as_view(), name="subscription-release"),
    path(
        "subscriptions/<str:public_id>/close_now",
        SubscriptionCloseNow.as_view(),
        name="subscription-close-now",
    ),
    path(
        "subscriptions/<str:public_id>/bill_late_usage",
        SubscriptionBillLateUsage.as_view(),
        name="subscription-bill-late-usage",
    ),
    path("parked_subscriptions", ParkedSubscriptionList.as_view(), name="parked-subscriptions"),
    path("billing_runs", BillingRunList.as_view(), name="billing-runs"),
    path("billing_runs/<int:run_id>", BillingRunDetail.as_view(), name="billing-run"),
    path("late_usage", LateUsage.as_view(), name="late-usage"),
    path("legal_entities", LegalEntityList.as_view(), name="legal-entities"),
    path("legal_entities/<str:entity_id>", LegalEntityDetail.as_view(), name="legal-entity"),
    path(
        "legal_entities/<str:entity_id>/make_default",
        LegalEntityMakeDefault.as_view(),
        name="legal-entity-make-default",
    ),
    path("subscriptions/<str:public_id>/add_ons", SubscriptionAddOns.as_view(), name="subscription-add-ons"),
    path(
        "subscriptions/<str:public_id>/add_ons/preview",
        preview_view(add_ons.ATTACH),
        name="subscription-add-ons-preview",
    ),
    *routes_of(add_ons.CHANGE, "add_ons/<str:code>/", "add-on-"),
    *routes_of(add_ons.DETACH, "add_ons/<str:code>/", "add-on-"),
    path("subscriptions/<str:public_id>/charges", SubscriptionCharges.as_view(), name="subscription-charges"),
    path(
        "subscriptions/<str:public_id>/charges/preview",
        SubscriptionChargePreview.as_view(),
        name="subscription-charges-preview",
    ),
    path(
        "subscriptions/<str:public_id>/charges/<str:charge_id>/withdraw",
        SubscriptionChargeWithdraw.as_view(),
        name="subscription-charge-withdraw",
    ),
    path(
        "subscriptions/<str:public_id>/charges/<str:charge_id>/withdraw/preview",
        SubscriptionChargeWithdrawPreview.as_view(),
        name="subscription-charge-withdraw-preview",
    ),
    path("invoices", InvoiceList.as_view(), name="invoices"),
    path("invoices/<str:reference>", InvoiceDetail.as_view(), name="invoice"),
    path("invoices/<str:reference>/finalize", InvoiceFinalize.as_view(), name="invoice-finalize"),
    path("invoices/<str:reference>/refresh", InvoiceRefresh.as_view(), name="invoice-refresh"),
    path("invoices/<str:reference>/release", InvoiceRelease.as_view(), name="invoice-release"),
    path("invoices/<str:reference>/void", InvoiceVoid.as_view(), name="invoice-void"),
    path("invoices/<str:reference>/reissue", InvoiceReissue.as_view(), name="invoice-reissue"),
    path("invoices/<str:reference>/mark_paid", InvoiceMarkPaid.as_view(), name="invoice-mark-paid"),
    path(
        "invoices/<str:reference>/mark_uncollectible",
        InvoiceMarkUncollectible.as_view(),
        name="invoice-mark-uncollectible",
    ),
    path("invoices/<str:reference>/reopen", InvoiceReopen.as_view(), name="invoice-reopen"),
    path("invoices/<str:reference>/lines", InvoiceLineList.as_view(), name="invoice-lines"),
    path(
        "invoices/<str:reference>/lines/<int:position>/events",
        InvoiceLineEvents.as_view(),
        name="invoice-line-events",
    ),
    path("test_clock/advance", AdvanceTestClock.as_view(), name="test-clock-advance"),
]
