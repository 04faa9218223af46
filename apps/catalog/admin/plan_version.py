"""Plan versions and their prices: a draft is edited, a published one is frozen and copied into the next."""

from typing import Any

from django.db.models import Count, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from apps.catalog.admin.plan import to_version
from apps.catalog.admin.prices import PriceInline, shown_prices
from apps.catalog.models import PlanVersion
from apps.catalog.services import versions
from apps.core import clock
from apps.core.admin.base import BackOfficeAdmin
from apps.core.admin.confirmation import Question, ask
from apps.core.admin.display import badge, instant_column
from apps.core.admin.registry import Panel, register_panel
from apps.core.admin_sites import tenant_site
from apps.core.errors import Refused


class PlanVersionAdmin(BackOfficeAdmin):
    list_display = ("name", "state", "currency", "price_count", "published_at_shown", "created_at_shown")
    list_filter = (("status", ChoicesDropdownFilter), ("plan", RelatedDropdownFilter))
    list_select_related = ("plan",)
    search_fields = ("plan__name", "plan__code")
    search_help_text = "Plan"
    ordering = ("-id",)
    fields = (("plan", "number"), ("state", "published_at_shown"), "currency")
    readonly_fields = ("plan", "number", "state", "published_at_shown")
    inlines = (PriceInline,)
    actions = None
    actions_detail = ("publish", "copy", "archive")

    published_at_shown = instant_column("published_at", "Published")
    created_at_shown = instant_column("created_at", "Created")

    def get_queryset(self, request: HttpRequest) -> QuerySet[PlanVersion]:
        queryset: QuerySet[PlanVersion] = super().get_queryset(request)
        return queryset.select_related("plan").annotate(prices_counted=Count("prices"))

    @display(description="Version", ordering="plan__name")
    def name(self, version: PlanVersion) -> str:
        return str(version)

    @display(description="Status", ordering="status")
    def state(self, version: PlanVersion) -> str:
        return badge(version.get_status_display())

    @display(description="Prices", ordering="prices_counted")
    def price_count(self, version: Any) -> int:
        return int(version.prices_counted)

    def has_add_permission(self, request: HttpRequest) -> bool:
        # A version comes from a plan or from another version, by an action.
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if isinstance(obj, PlanVersion) and not obj.is_draft:
            return False
        return super().has_change_permission(request, obj)

    def get_inlines(self, request: HttpRequest, obj: PlanVersion | None) -> Any:
        """A frozen version's prices are a table, not a form that can't be edited."""
        return self.inlines if self.has_change_permission(request, obj) else ()

    def save_model(self, request: HttpRequest, obj: PlanVersion, form: ModelForm, change: bool) -> None:
        # Somebody may have published it since the form was opened; the lock keeps it a draft until the commit.
        if not PlanVersion.objects.select_for_update(of=("self",)).get(pk=obj.pk).is_draft:
            raise Refused("not_a_draft", f"{obj} was published meanwhile and can't be changed any more.")
        super().save_model(request, obj, form, change)

    def construct_change_message(
        self, request: HttpRequest, form: ModelForm, formsets: Any, add: bool = False
    ) -> Any:
        message = super().construct_change_message(request, form, formsets, add)
        for formset in formsets:
            for price in [*formset.new_objects, *(changed for changed, _ in formset.changed_objects)]:
                amount = price.flat_amount if price.unit_amount is None else price.unit_amount
                request.admin_changes[f"price {price.code}"] = f"{price.get_model_display()} {amount:f}"  # type: ignore[attr-defined]
            for price in formset.deleted_objects:
                request.admin_changes[f"price {price.code}"] = "removed"  # type: ignore[attr-defined]
        return message

    def is_on_offer(self, action: str, record: PlanVersion) -> bool:
        return {
            "publish": record.is_draft,
            "archive": record.status == PlanVersion.Status.PUBLISHED,
            "copy": not record.is_draft,
        }[action]

    @action(
        description="Publish",
        icon="verified",
        variant=ActionVariant.PRIMARY,
        permissions=["catalog.change_planversion"],
    )
    def publish(self, request: HttpRequest, object_id: str) -> HttpResponse:
        version = self.record_of(request, object_id)

        def act(_: dict[str, Any]) -> str:
            return f"{versions.publish_version(version=version, now=clock.now())} is published and on offer."

        question = Question(
            title=f"Publish {version}?",
            text="Its prices are frozen for good. To change a price later, draft the next version.",
            facts={price["name"]: price["amount"] for price in shown_prices(version)},
            button="Publish",
        )
        return ask(self, request, question, act, record=version)

    @action(
        description="Archive",
        icon="archive",
        permissions=["catalog.change_planversion"],
    )
    def archive(self, request: HttpRequest, object_id: str) -> HttpResponse:
        version = self.record_of(request, object_id)

        def act(_: dict[str, Any]) -> str:
            return f"{versions.archive_version(version=version)} is off offer."

        question = Question(
            title=f"Archive {version}?",
            text="Nobody can subscribe to it any more. Those who are subscribed stay on it.",
            button="Archive the version",
            is_dangerous=True,
        )
        return ask(self, request, question, act, record=version)

    @action(
        description="Draft a new version from this",
        icon="content_copy",
        permissions=["catalog.add_planversion"],
    )
    def copy(self, request: HttpRequest, object_id: str) -> HttpResponse:
        version = self.record_of(request, object_id)
        made: list[PlanVersion] = []

        def act(_: dict[str, Any]) -> str:
            made.append(versions.duplicate_version(version=version, price_book=version.price_book))
            return f"{made[0]} is a draft with the prices of {version}. Change them, then publish it."

        question = Question(
            title=f"Draft a new version of {version.plan}?",
            text=f"It starts with the prices of {version}. Nothing changes for customers until it is published "
            "and they are moved to it.",
            button="Draft it",
        )
        response = ask(self, request, question, act, record=version)
        return to_version(made[0]) if made else response


def prices_of(request: HttpRequest, version: PlanVersion) -> dict[str, Any] | None:
    return None if version.is_draft else {"prices": shown_prices(version)}


register_panel(
    "catalog.planversion",
    Panel(10, "admin/catalog/planversion/prices.html", "catalog.view_price", prices_of, is_wide=True),
)
tenant_site.register(PlanVersion, PlanVersionAdmin)
