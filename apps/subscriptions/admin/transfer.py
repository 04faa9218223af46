"""Subscriptions in and out as CSV, XLSX or JSON, one row each: how it began. An import shows first what it would do.

A row is put through `subscribe`. It is known by customer, plan and start, so a file that is imported again changes
nothing; what happened to a subscription since is no business of a file.
"""

from datetime import datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import QuerySet
from django.utils.dateparse import parse_date, parse_datetime
from import_export import fields, resources
from import_export.instance_loaders import BaseInstanceLoader
from import_export.results import RowResult
from import_export.widgets import CharWidget

from apps.catalog.selectors import published_version
from apps.core import clock
from apps.core.admin.display import instant_text
from apps.core.admin.transfer import refuse_file
from apps.core.errors import Missing, Refused
from apps.core.money import money_text
from apps.core.spreadsheets import read_cell, safe
from apps.core.text import instant_text as instant_cell
from apps.customers.models import Customer
from apps.customers.selectors import customer_by_reference
from apps.subscriptions.api.serializers import STOREFRONTS
from apps.subscriptions.models import Subscription, SubscriptionPhase
from apps.subscriptions.outline import with_phases
from apps.subscriptions.selectors import version_for
from apps.subscriptions.services import subscribe

NEEDED = ("customer", "plan", "started_at")
COLUMNS = (
    *NEEDED, "version", "storefront", "region", "billing_anchor", "billing_day", "quantity", "trial_days",
    "trial_covers", "trial_end", "billing_threshold",
)  # fmt: skip
NUMBERS = ("version", "billing_day", "quantity", "trial_days")
CHOICES = {
    "storefront": STOREFRONTS,
    "billing_anchor": Subscription.Anchor.values,
    "trial_covers": ["fees", "everything"],
    "trial_end": subscribe.TrialEnd.values,
}
LONGEST_NUMBER = 7
HEADERS = ["Customer", "Plan version", "What it does"]


class SubscriptionResource(resources.Resource):
    class Meta:
        import_id_fields = NEEDED
        instance_loader_class = BaseInstanceLoader
        export_order = COLUMNS
        use_transactions = True
        report_skipped = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fields = {name: fields.Field(column_name=name, widget=CharWidget()) for name in COLUMNS}
        self.now = clock.now()

    @classmethod
    def get_display_name(cls) -> str:
        return "Subscriptions"

    # Export

    def export(self, queryset: QuerySet[Subscription] | None = None, **kwargs: Any) -> Any:
        found = Subscription.objects.all() if queryset is None else queryset
        # The page's own queryset brings its phases, and they may be asked for only once.
        found = found.order_by("id").prefetch_related(None)
        return super().export(queryset=with_phases(found), **kwargs)

    def export_resource(
        self, instance: Subscription, selected_fields: Any = None, **kwargs: Any
    ) -> list[str]:
        first: SubscriptionPhase = instance.phases.all()[0]
        row = {
            "customer": instance.customer.external_id,
            "plan": first.plan_version.plan.code,
            "started_at": instant_cell(instance.started_at),
            "version": str(first.plan_version.number),
            "billing_anchor": instance.billing_anchor,
            "billing_day": str(instance.billing_day or ""),
            "quantity": str(first.quantity),
            "billing_threshold": threshold_cell(instance),
        }
        return [safe(row.get(column.column_name, "")) for column in self.get_export_fields(selected_fields)]

    # Import

    def get_diff_headers(self) -> list[str]:
        return HEADERS

    def before_import(self, dataset: Any, **kwargs: Any) -> None:
        refuse_file(dataset, needed=NEEDED, known=COLUMNS)

    def import_row(self, row: Any, instance_loader: Any, **kwargs: Any) -> RowResult:
        result = self.get_row_result_class()()
        cells = {name: read_cell(value) for name, value in row.items()}
        result.diff = [cells["customer"], cells["plan"], ""]
        try:
            with transaction.atomic():
                made, is_new = take(cells, self.now)
        except RowProblem as problem:
            result.import_type = RowResult.IMPORT_TYPE_ERROR
            result.errors = [
                self.get_error_result_class()(ValueError(text), row=row, number=kwargs["row_number"])
                for text in problem.texts
            ]
            return result
        result.import_type = RowResult.IMPORT_TYPE_NEW if is_new else RowResult.IMPORT_TYPE_SKIP
        begins = instant_text(made.started_at, made.time_zone)
        words = f"Begins {begins}" if is_new else f"It is there since {begins}"
        result.diff = [str(made.customer), str(made.plan_version), words]
        return result


class RowProblem(Exception):
    """What is wrong with a row: texts that begin with the column and say what to do."""

    def __init__(self, *texts: str) -> None:
        super().__init__(*texts)
        self.texts = texts


def take(cells: dict[str, str], now: datetime) -> tuple[Subscription, bool]:
    """Subscribe, unless it is there; says whether it is new. Raises `RowProblem`."""
    if problems := unreadable(cells):
        raise RowProblem(*problems)
    try:
        customer = customer_by_reference(cells["customer"])
    except Missing as missing:
        raise RowProblem(f"customer: {missing.message} Import customers first.") from missing
    given: dict[str, Any] = {
        name: int(cells[name]) if name in NUMBERS else cells[name] for name in COLUMNS if cells.get(name)
    }
    if "billing_threshold" in given:
        given["billing_threshold"] = threshold_in(given["billing_threshold"])
    given["started_at"] = instant_in(cells["started_at"], customer)
    known = known_as(customer, given)
    if known is not None:
        refuse_difference(known, given)
        return known, False
    plan, number = given.pop("plan"), given.pop("version", None)
    place = {name: given.pop(name, "") for name in ("storefront", "region")}
    del given["customer"]
    try:
        version = (
            published_version(plan_code=plan, number=number)
            if number is not None
            else version_for(customer=customer, plan_code=plan, **place)
        )
        made = subscribe.subscribe(
            customer=customer, plan_version=version, now=now, reason="Imported from a file", **given
        )
    except Refused as refused:
        column = refused.param.strip("/") or "plan"
        raise RowProblem(f"{column}: {refused.message}") from refused
    return made, True


def unreadable(cells: dict[str, str]) -> list[str]:
    found = [f"{name}: fill this in." for name in NEEDED if not cells.get(name)]
    found += [
        f"{name}: write {', '.join(choices)}, or leave it empty."
        for name, choices in CHOICES.items()
        if cells.get(name) and cells[name] not in choices
    ]
    found += [
        f"{name}: write a whole number, or leave it empty."
        for name in NUMBERS
        if cells.get(name)
        and not (cells[name].isascii() and cells[name].isdecimal() and len(cells[name]) <= LONGEST_NUMBER)
    ]
    if len(cells.get("region", "")) > 10:
        found.append("region: at most 10 characters, like EU or DE.")
    return found


def instant_in(text: str, customer: Customer) -> datetime:
    """A day is its local midnight; a time without an offset is local too."""
    zone = ZoneInfo(customer.time_zone)
    try:
        day = parse_date(text)
        found = datetime.combine(day, time()) if day else parse_datetime(text)
    except ValueError:
        found = None
    if found is None or not 2000 <= found.year < 2200:
        raise RowProblem("started_at: write a day like 2026-01-31, or an instant like 2026-01-31T12:00:00Z.")
    return found if found.tzinfo else found.replace(tzinfo=zone)


def threshold_in(text: str) -> Decimal:
    try:
        found = Decimal(text)
    except InvalidOperation:
        found = Decimal(0)
    if not found.is_finite() or found <= 0:
        raise RowProblem(
            "billing_threshold: write an amount above zero like 500 or 500.00, or leave it empty."
        )
    return found


def threshold_cell(subscription: Subscription) -> str:
    threshold = subscription.billing_threshold
    return "" if threshold is None else money_text(threshold, subscription.plan_version.currency)


def known_as(customer: Customer, given: dict[str, Any]) -> Subscription | None:
    found: Subscription | None = (
        with_phases(Subscription.objects.filter(customer=customer, started_at=given["started_at"]))
        .filter(phases__starts_at=given["started_at"], phases__plan_version__plan__code=given["plan"])
        .first()
    )
    return found


def refuse_difference(known: Subscription, given: dict[str, Any]) -> None:
    first: SubscriptionPhase = known.phases.all()[0]
    began = {
        "version": first.plan_version.number,
        "quantity": first.quantity,
        "billing_anchor": known.billing_anchor,
        "billing_day": known.billing_day,
    }
    problems = [
        f"{name}: it began with {value}, and a file does not change it. Do that on its page."
        for name, value in began.items()
        if name in given and given[name] != value
    ]
    if problems:
        raise RowProblem(*problems)
