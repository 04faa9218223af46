"""Plans: a name and a row of versions. A new plan starts with a draft of version 1."""

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet, prefetch_related_objects
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from apps.catalog.admin.diff import difference_between
from apps.catalog.models import Plan, PlanVersion, PriceBook
from apps.catalog.services import plans
from apps.core.admin.base import BackOfficeAdmin
from apps.core.admin.display import badge, code, instant_column
from apps.core.admin.registry import Panel, notes_on, register_panel
from apps.core.admin_sites import tenant_site
from apps.core.validators import validate_currency

NO_SOURCE = "Import a file of prices without a version number, or duplicate one of these on its own page."


class NewPlanForm(forms.ModelForm):
    currency = forms.CharField(
        max_length=3,
        initial="USD",
        validators=[validate_currency],
        widget=UnfoldAdminTextInputWidget,
        help_text="Of the first version's prices, as an ISO 4217 code.",
    )

    price_book = forms.ModelChoiceField(
        queryset=PriceBook.objects.all(),
        required=False,
        empty_label="General offer",
        widget=UnfoldAdminSelectWidget,
        help_text="Whom the first version is for.",
    )

    class Meta:
        model = Plan
        fields = ("name", "code", "kind", "product", "description", "currency", "price_book")
        help_texts = {
            "kind": "An add-on is attached to subscriptions beside their plan. It has flat fees only."
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kind"].required = False

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        cleaned["kind"] = cleaned.get("kind") or Plan.Kind.PLAN
        book = cleaned.get("price_book")
        if book is not None and cleaned.get("currency") not in (None, book.currency):
            self.add_error("currency", f"The price book {book} is in {book.currency}.")
        return cleaned


class PlanAdmin(BackOfficeAdmin):
    list_display = ("name", "code_shown", "kind_shown", "product", "published", "drafts", "created_at_shown")
    list_filter = (("kind", ChoicesDropdownFilter), ("product", RelatedDropdownFilter))
    list_select_related = ("product",)
    search_fields = ("name", "code")
    search_help_text = "Name or code"
    actions = None
    actions_detail = ("draft_version",)

    created_at_shown = instant_column("created_at", "Created")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Plan]:
        queryset: QuerySet[Plan] = super().get_queryset(request)
        return queryset.annotate(
            published_counted=Count("versions", filter=Q(versions__status="published")),
            drafts_counted=Count("versions", filter=Q(versions__status="draft")),
        )

    @display(description="Code", ordering="code")
    def code_shown(self, plan: Plan) -> str:
        return code(plan.code)

    @display(description="Kind", ordering="kind")
    def kind_shown(self, plan: Plan) -> str:
        return badge("Add-on", "info") if plan.is_add_on else str(plan.get_kind_display())

    @display(description="Published versions", ordering="published_counted")
    def published(self, plan: Any) -> int:
        return int(plan.published_counted)

    @display(description="Drafts", ordering="drafts_counted")
    def drafts(self, plan: Any) -> int:
        return int(plan.drafts_counted)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = NewPlanForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Plan | None = None) -> tuple[str, ...]:
        fields = ("name", "code", "kind" if obj is None else "kind_shown", "product", "description")
        return (*fields, "currency", "price_book") if obj is None else (*fields, "created_at_shown")

    def get_readonly_fields(self, request: HttpRequest, obj: Plan | None = None) -> tuple[str, ...]:
        return () if obj is None else ("code", "kind_shown", "created_at_shown")

    def save_model(self, request: HttpRequest, obj: Plan, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        version = plans.create_plan(**form.cleaned_data, prices=[])
        obj.pk = version.plan_id
        request.first_version = version  # type: ignore[attr-defined]

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:
        """The service has recorded it."""

    def response_add(
        self, request: HttpRequest, obj: Plan, post_url_continue: str | None = None
    ) -> HttpResponse:
        self.tell(request, f"{obj} has a draft of version 1. Add its prices, then publish it.")
        return to_version(request.first_version)  # type: ignore[attr-defined]

    @action(description="Draft a new version", icon="edit_note", permissions=["catalog.add_planversion"])
    def draft_version(self, request: HttpRequest, object_id: str) -> HttpResponse:
        plan = self.record_of(request, object_id)
        source = source_of(plan)
        if source is None:
            self.tell(
                request, f"{plan} has no version of its own, only customers'. {NO_SOURCE}", refused=True
            )
            return HttpResponseRedirect(reverse("admin:catalog_plan_change", args=[plan.pk]))
        return HttpResponseRedirect(reverse("admin:catalog_planversion_copy", args=[source.pk]))

    # Comparing versions

    def get_urls(self) -> list[URLPattern]:
        compare = path(
            "<int:plan_id>/compare/", self.admin_site.admin_view(self.compare), name="catalog_plan_compare"
        )
        return [compare, *super().get_urls()]

    def compare(self, request: HttpRequest, plan_id: int) -> HttpResponse:
        """Two versions of a plan, by `old` and `new` in the address; the newest two when they are left out."""
        if not request.user.has_perm("catalog.view_planversion"):
            raise PermissionDenied
        plan = get_object_or_404(Plan, pk=plan_id)
        versions = {
            version.number: version
            for version in plan.versions.select_related("plan", "price_book").order_by("-number")
        }
        numbers = list(versions)
        new = chosen(request.GET.get("new"), numbers, 0)
        old = chosen(request.GET.get("old"), numbers, 1)
        pair = [with_prices(versions[number]) if number is not None else None for number in (old, new)]
        context = {
            **self.admin_site.each_context(request),
            "title": f"Compare versions of {plan}",
            "opts": self.opts,
            "original": plan,
            "plan": plan,
            "choices": [
                {
                    "number": version.number,
                    "text": f"Version {version.number} · {version.get_status_display()} · {offer_text(version)}",
                }
                for version in versions.values()
            ],
            "old": pair[0],
            "new": pair[1],
            "difference": difference_between(pair[0], pair[1]) if pair[0] and pair[1] else None,
        }
        return TemplateResponse(request, "admin/catalog/plan/compare.html", context)


def chosen(text: str | None, numbers: list[int], default: int) -> int | None:
    """The number that was asked for, else the one at `default`, newest first."""
    if text and text.isdecimal() and len(text) < 10 and int(text) in numbers:
        return int(text)
    return numbers[min(default, len(numbers) - 1)] if numbers else None


def with_prices(version: PlanVersion) -> PlanVersion:
    prefetch_related_objects([version], "prices__meter", "prices__tiers", "prices__filters")
    return version


def offer_text(version: PlanVersion) -> str:
    """Whom a version is for."""
    if version.is_negotiated:
        return "One customer"
    return str(version.price_book) if version.price_book else "General offer"


def to_version(version: PlanVersion) -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:catalog_planversion_change", args=[version.pk]))


def source_of(plan: Plan) -> PlanVersion | None:
    """Where a new version of the general offer starts: what is on offer, else the newest that may become it.

    What one customer negotiated is never copied unasked.
    """
    open_to_all = plan.versions.filter(is_negotiated=False).order_by("-number")
    general = open_to_all.filter(price_book=None)
    published = general.filter(status=PlanVersion.Status.PUBLISHED)
    return published.first() or general.first() or open_to_all.first()


def versions_of(request: HttpRequest, plan: Plan) -> dict[str, Any]:
    versions = list(
        plan.versions.order_by("-number").select_related("price_book").annotate(price_count=Count("prices"))
    )
    notes = notes_on("catalog.planversion", versions)
    rows = [
        {"record": version, "offer": offer_text(version), "notes": notes.get(version.pk, [])}
        for version in versions
    ]
    return {"plan": plan, "versions": rows, "may_compare": len(rows) > 1}


register_panel(
    "catalog.plan",
    Panel(10, "admin/catalog/plan/versions.html", "catalog.view_planversion", versions_of, is_wide=True),
)
tenant_site.register(Plan, PlanAdmin)
