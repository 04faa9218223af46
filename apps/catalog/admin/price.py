"""One price on a page of its own: its tiers and filters inline, and beside them what it would cost.

A version lists its prices and leads here. Whoever may not change it, and everybody once the version is published,
sees the same page without the form.
"""

from typing import Any

from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import DecimalField, Max, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from unfold.decorators import action
from unfold.enums import ActionVariant

from apps.catalog.admin.form_preview import preview_of_form, preview_of_price
from apps.catalog.admin.preview import Typed, read_typed
from apps.catalog.admin.price_changes import record_price, remove_price
from apps.catalog.admin.price_form import PlainDecimal, PriceForm, filled_forms
from apps.catalog.admin.price_layout import FIELDSETS, MODELS_OF, TIER_MODELS_OF
from apps.catalog.admin.price_rows import FilterInline, TierInline, may_edit
from apps.catalog.admin.wording import facts_of
from apps.catalog.models import Meter, PlanVersion, Price
from apps.catalog.services import plans
from apps.core.admin.base import BackOfficeAdmin
from apps.core.admin.confirmation import Question, ask
from apps.core.admin.registry import Panel, register_panel
from apps.core.admin_sites import tenant_site

VERSION = "plan_version"
PREVIEW = "admin/catalog/price/preview.html"


class PriceAdmin(BackOfficeAdmin):
    form = PriceForm
    inlines = (TierInline, FilterInline)
    actions = None
    actions_detail = ("remove",)
    change_form_template = "admin/catalog/price/change_form.html"
    is_recorded_by_service = False
    warn_unsaved_form = True
    fieldsets = FIELDSETS

    def get_urls(self) -> list[URLPattern]:
        preview = path("preview/", self.admin_site.admin_view(self.preview), name="catalog_price_preview")
        return [preview, *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Price]:
        queryset: QuerySet[Price] = super().get_queryset(request)
        return queryset.select_related(
            "meter", "plan_version__plan", "plan_version__price_book"
        ).prefetch_related("tiers", "filters")

    # Who may, and when

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("catalog.add_price"))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_edit(request, obj)

    def is_on_offer(self, action: str, record: Price) -> bool:
        return record.plan_version.is_draft

    # The page

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Prices are listed by their versions."""
        return HttpResponseRedirect(reverse("admin:catalog_planversion_changelist"))

    def version_of(self, request: HttpRequest, price: Price | None) -> PlanVersion:
        """The version a price belongs to; a new one names it in the address. Raises `Http404`."""
        if price is not None and price.plan_version_id is not None:
            return price.plan_version
        number = request.GET.get(VERSION, "") or request.POST.get(VERSION, "")
        if not number.isdecimal() or len(number) > 18:
            raise Http404("A price is added on the page of its plan version.")
        return get_object_or_404(PlanVersion.objects.select_related("plan", "price_book"), pk=int(number))

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        version = self.version_of(request, None)
        if not version.is_draft:
            self.tell(
                request, f"{version} is {version.status}; draft a new version to add a price.", refused=True
            )
            return to_version(version)
        return super().add_view(request, form_url, extra_context)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        version = self.version_of(request, None)
        last = version.prices.aggregate(last=Max("position"))["last"]
        return {**super().get_changeform_initial_data(request), "position": 0 if last is None else last + 1}

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        return type(form.__name__, (form,), {"plan_version": self.version_of(request, obj)})

    def get_fieldsets(self, request: HttpRequest, obj: Price | None = None) -> Any:
        """Whoever can't edit reads the panel of facts instead."""
        return self.fieldsets if may_edit(request, obj) else ()

    def get_inline_instances(self, request: HttpRequest, obj: Price | None = None) -> Any:
        return super().get_inline_instances(request, obj) if may_edit(request, obj) else []

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "meter":
            kwargs["queryset"] = Meter.objects.filter(archived_at__isnull=True)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if isinstance(db_field, DecimalField):
            return db_field.formfield(**kwargs, form_class=PlainDecimal)
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "meter":
            field.widget = getattr(
                field.widget, "widget", field.widget
            )  # a meter is not made in the middle of this
        return field

    def _create_formsets(self, request: HttpRequest, obj: Any, change: bool) -> Any:
        """Give the form its tiers and filters: they are checked together."""
        formsets, inlines = super()._create_formsets(request, obj, change)
        obj.typed_in.formsets = {formset.prefix: formset for formset in formsets}
        return formsets, inlines

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        price: Price | None = kwargs.get("obj")
        version = self.version_of(request, price)
        is_editable = may_edit(request, price)
        context |= {
            "version": version,
            "is_editable": is_editable,
            "show_close": False,
            "price_settings": {
                "models": MODELS_OF,
                "tierModels": TIER_MODELS_OF,
                "dimensions": {str(meter.pk): meter.dimensions for meter in Meter.objects.all()},
                "currency": version.currency,
            },
        }
        if price is not None and not is_editable:
            context["preview"] = preview_of_price(price, *read_typed({}, currency=version.currency))
        return super().render_change_form(request, context, *args, **kwargs)

    # Saving

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        try:
            return super().changeform_view(request, object_id, *args, **kwargs)
        except PermissionDenied:
            refused = getattr(request, "admin_refused", None)
            if refused is None:
                raise
            # Published while the form was open: the page can't be a form any more.
            self.tell(request, refused.message, refused=True)
            return HttpResponseRedirect(request.path)

    def save_model(self, request: HttpRequest, obj: Price, form: Any, change: bool) -> None:
        # Somebody may have published it since the form was opened; the lock keeps it a draft until the commit.
        plans.locked_draft(obj.plan_version)
        super().save_model(request, obj, form, change)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Rows are written anew: bounds may have changed places, and each may stand only once at any moment."""
        # Django asks for these to write its own message; ours is made from what is stored.
        formset.new_objects, formset.changed_objects, formset.deleted_objects = [], [], []
        if not formset.has_changed():
            return
        rows = formset.model.objects.filter(price=form.instance)
        rows.delete()
        kept = [row.instance for row in filled_forms(formset)]
        for row in kept:
            row.pk, row.price = None, form.instance
        formset.model.objects.bulk_create(kept)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:
        record_price(obj, "added")

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None:
        record_price(obj, "changed")

    def response_add(
        self, request: HttpRequest, obj: Price, post_url_continue: str | None = None
    ) -> HttpResponse:
        self.tell(request, f"{obj} is part of {obj.plan_version}.")
        if "_continue" in request.POST:
            return HttpResponseRedirect(reverse("admin:catalog_price_change", args=[obj.pk]))
        return to_version(obj.plan_version)

    def response_change(self, request: HttpRequest, obj: Price) -> HttpResponse:
        self.tell(request, f"{obj} is changed.")
        return (
            HttpResponseRedirect(request.path)
            if "_continue" in request.POST
            else to_version(obj.plan_version)
        )

    @action(
        description="Remove",
        icon="delete",
        variant=ActionVariant.DANGER,
        permissions=["catalog.change_price"],
    )
    def remove(self, request: HttpRequest, object_id: str) -> HttpResponse:
        price: Price = self.record_of(request, object_id)
        version = price.plan_version

        def act(_: dict[str, Any]) -> str:
            remove_price(price)
            return f"{price} is no longer part of {version}."

        question = Question(
            title=f"Remove {price} from {version}?",
            text="The draft loses this price with its tiers and filters.",
            facts=facts_of(price, version.currency),
            button="Remove the price",
            is_dangerous=True,
        )
        response = ask(self, request, question, act, record=price)
        return to_version(version) if request.method == "POST" else response

    # The preview

    def preview(self, request: HttpRequest) -> HttpResponse:
        """What the form, as it stands, would cost. Reads a stored price when there is no form to read."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not request.user.has_perm("catalog.view_price"):
            raise PermissionDenied
        number = request.POST.get("price", "")
        price = self.get_object(request, unquote(number)) if number else None
        if number and price is None:
            raise Http404
        is_form = "model" in request.POST
        if is_form and not may_edit(request, price):
            raise PermissionDenied
        version = self.version_of(request, price)
        typed, wrong = read_typed(request.POST, currency=version.currency)
        if is_form:
            context = self.read_form(request, price, typed, wrong)
        else:
            context = preview_of_price(price, typed, wrong) if price else {}
        return render(request, PREVIEW, {"preview": context})

    def read_form(
        self, request: HttpRequest, price: Price | None, typed: Typed, wrong: dict[str, str]
    ) -> dict[str, Any]:
        form_class = self.get_form(request, price, change=price is not None)
        form: PriceForm = form_class(request.POST, instance=price)
        self._create_formsets(request, form.instance, change=price is not None)
        return preview_of_form(form, typed, wrong)


def to_version(version: PlanVersion) -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:catalog_planversion_change", args=[version.pk]))


def facts_panel(request: HttpRequest, price: Price) -> dict[str, Any] | None:
    if may_edit(request, price):
        return None
    return {"facts": facts_of(price, price.plan_version.currency), "version": price.plan_version}


register_panel(
    "catalog.price",
    Panel(10, "admin/catalog/price/facts.html", "catalog.view_price", facts_panel, is_wide=True),
)
tenant_site.register(Price, PriceAdmin)
