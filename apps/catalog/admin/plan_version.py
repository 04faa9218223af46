"""Plan versions: a draft is edited price by price, a published one is frozen and copied into the next."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django import forms
from django.db.models import Count, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminRadioSelectWidget, UnfoldAdminSelectWidget

from apps.catalog.admin.plan import offer_text, to_version
from apps.catalog.admin.transfer_pages import PriceTransferAdmin
from apps.catalog.admin.version_terms import VersionTerms
from apps.catalog.admin.wording import summary_of, tier_text, unit_of
from apps.catalog.definitions import in_order
from apps.catalog.models import PlanVersion, Price, PriceBook
from apps.catalog.services import plans, versions
from apps.catalog.services.versions import Existing
from apps.core import clock
from apps.core.admin.confirmation import Question, ask
from apps.core.admin.display import badge, instant_column, per_million_text
from apps.core.admin.registry import Panel, facts_for, notes_on, register_panel
from apps.core.admin_sites import tenant_site
from apps.core.errors import Refused

PUBLISH = "catalog.planversion.publish"


class PublishForm(forms.Form):
    existing = forms.ChoiceField(
        label="Those who are on an older version",
        choices=Existing.choices,
        initial=Existing.KEEP,
        widget=UnfoldAdminRadioSelectWidget,
    )


class CopyForm(forms.Form):
    price_book = forms.ModelChoiceField(
        label="For",
        queryset=PriceBook.objects.all(),
        required=False,
        empty_label="General offer",
        widget=UnfoldAdminSelectWidget,
        help_text="Amounts are copied as they are: in a book of another currency, look at each of them.",
    )


class PlanVersionAdmin(VersionTerms, PriceTransferAdmin):
    list_display = (
        "name", "state", "offer", "currency", "price_count", "published_at_shown", "created_at_shown",
    )  # fmt: skip
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("plan", RelatedDropdownFilter),
        ("price_book", RelatedDropdownFilter),
    )
    list_select_related = ("plan", "price_book")
    search_fields = ("plan__name", "plan__code")
    search_help_text = "Plan"
    ordering = ("-id",)
    readonly_fields = ("plan", "number", "state", "published_at_shown", "offer", "fees_every", "usage_every")
    actions = None
    actions_detail = ("publish", "copy", "compare", "export_version", "archive", "discard")

    published_at_shown = instant_column("published_at", "Published")
    created_at_shown = instant_column("created_at", "Created")

    def get_queryset(self, request: HttpRequest) -> QuerySet[PlanVersion]:
        queryset: QuerySet[PlanVersion] = super().get_queryset(request)
        return queryset.select_related("plan", "price_book").annotate(prices_counted=Count("prices"))

    @display(description="Version", ordering="plan__name")
    def name(self, version: PlanVersion) -> str:
        return str(version)

    @display(description="Status", ordering="status")
    def state(self, version: PlanVersion) -> str:
        return badge(version.get_status_display())

    @display(description="For", ordering="price_book")
    def offer(self, version: PlanVersion) -> str:
        return offer_text(version)

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

    def get_readonly_fields(self, request: HttpRequest, obj: PlanVersion | None = None) -> tuple[str, ...]:
        """A book has its currency; the general offer chooses one."""
        if obj is not None and obj.price_book_id is not None:
            return (*self.readonly_fields, "currency")
        return self.readonly_fields

    def save_model(self, request: HttpRequest, obj: PlanVersion, form: ModelForm, change: bool) -> None:
        # Somebody may have published it since the form was opened; the lock keeps it a draft until the commit.
        if not PlanVersion.objects.select_for_update(of=("self",)).get(pk=obj.pk).is_draft:
            raise Refused("not_a_draft", f"{obj} was published meanwhile and can't be changed any more.")
        super().save_model(request, obj, form, change)

    def is_on_offer(self, action: str, record: PlanVersion) -> bool:
        return {
            "publish": record.is_draft,
            "archive": record.status == PlanVersion.Status.PUBLISHED,
            "copy": True,
            "export_version": True,
            "compare": record.number > 1,
            "discard": record.is_draft,
        }[action]

    @action(
        description="Publish",
        icon="verified",
        variant=ActionVariant.PRIMARY,
        permissions=["catalog.change_planversion"],
    )
    def publish(self, request: HttpRequest, object_id: str) -> HttpResponse:
        version: PlanVersion = self.record_of(request, object_id)
        facts = facts_for(PUBLISH, version)
        has_movable = bool(facts)

        def act(given: dict[str, Any]) -> str:
            existing = given.get("existing", Existing.KEEP)
            with in_words(version):
                published = versions.publish_version(version=version, now=clock.now(), existing=existing)
            moved = {Existing.AT_RENEWAL: " Those on older versions move at their renewal.",
                     Existing.NOW: " Those on older versions are on it from now on."}  # fmt: skip
            return f"{published} is published and on offer.{moved.get(existing, '')}"

        question = Question(
            title=f"Publish {version}?",
            text="Its prices are frozen for good. To change a price later, draft the next version.",
            facts={"For": offer_text(version), **prices_in_words(version), **facts},
            button="Publish",
            form=PublishForm if has_movable else None,
            initial={"existing": Existing.KEEP},
        )
        return ask(self, request, question, act, record=version)

    @action(description="Archive", icon="archive", permissions=["catalog.change_planversion"])
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

    @action(description="Duplicate", icon="content_copy", permissions=["catalog.add_planversion"])
    def copy(self, request: HttpRequest, object_id: str) -> HttpResponse:
        version = self.record_of(request, object_id)
        made: list[PlanVersion] = []

        def act(given: dict[str, Any]) -> str:
            made.append(versions.duplicate_version(version=version, price_book=given["price_book"]))
            return f"{made[0]} is a draft with the prices of {version}. Change them, then publish it."

        question = Question(
            title=f"Draft a new version of {version.plan}?",
            text=f"It starts with the prices of {version}. Nothing changes for customers until it is published "
            "and they are moved to it.",
            facts={"Prices of": f"{version} · {version.get_status_display()}", "Whose": whose(version)},
            button="Draft it",
            form=CopyForm,
            initial={"price_book": version.price_book_id},
        )
        response = ask(self, request, question, act, record=version)
        return to_version(made[0]) if made else response

    @action(description="Compare", icon="difference", permissions=["catalog.view_planversion"])
    def compare(self, request: HttpRequest, object_id: str) -> HttpResponse:
        version = self.record_of(request, object_id)
        older = predecessor_of(version)
        query = f"?old={older.number}&new={version.number}" if older else f"?new={version.number}"
        return HttpResponseRedirect(reverse("admin:catalog_plan_compare", args=[version.plan_id]) + query)

    @action(description="Export", icon="download", permissions=["catalog.view_price"])
    def export_version(self, request: HttpRequest, object_id: str) -> HttpResponse:
        version = self.record_of(request, object_id)
        return HttpResponseRedirect(f"{reverse('admin:catalog_planversion_export')}?id__exact={version.pk}")

    @action(
        description="Discard",
        icon="delete",
        variant=ActionVariant.DANGER,
        permissions=["catalog.change_planversion"],
    )
    def discard(self, request: HttpRequest, object_id: str) -> HttpResponse:
        version = self.record_of(request, object_id)
        plan_page = HttpResponseRedirect(reverse("admin:catalog_plan_change", args=[version.plan_id]))
        if request.method == "POST":
            name = str(version)
            try:
                plans.delete_draft(version=version)
            except Refused as refused:
                self.tell(request, refused.message, refused=True)
                return to_version(version)
            self.tell(request, f"{name} is discarded.")
            return plan_page
        question = Question(
            title=f"Discard {version}?",
            text="The draft and its prices are deleted. What was published stays.",
            facts=prices_in_words(version),
            button="Discard the draft",
            is_dangerous=True,
        )
        return ask(self, request, question, lambda _: "", record=version)


def whose(version: PlanVersion) -> str:
    """Whom the prices are for, and what other apps remark about them: with whom they are negotiated, who pays them."""
    return " · ".join([offer_text(version), *notes_on("catalog.planversion", [version]).get(version.pk, [])])


@contextmanager
def in_words(version: PlanVersion) -> Iterator[None]:
    """Problems of a version's prices point to them by number; people know them by name."""
    try:
        yield
    except Refused as refused:
        found = []
        prices = priced(version)
        for problem in refused.errors or []:
            _, _, index, *_ = [*problem["param"].split("/"), "", ""]
            name = prices[int(index)].name if index.isdecimal() and int(index) < len(prices) else ""
            found.append(f"{name}: {problem['message']}." if name else f"{problem['message']}.")
        raise Refused(refused.code, " ".join(found) or refused.message) from refused


def predecessor_of(version: PlanVersion) -> PlanVersion | None:
    """The version to compare with at first sight: the one before it of the same offer, else any before it."""
    older = PlanVersion.objects.filter(plan_id=version.plan_id, number__lt=version.number).order_by("-number")
    same = older.filter(price_book_id=version.price_book_id, is_negotiated=version.is_negotiated)
    return same.first() or older.first()


def priced(version: PlanVersion) -> list[Price]:
    """The prices in their order, with all that words need; three queries."""
    return list(version.prices.select_related("meter").prefetch_related("tiers", "filters"))


def prices_in_words(version: PlanVersion) -> dict[str, str]:
    """For questions."""
    return {price.name: summary_of(price, version.currency) for price in priced(version)}


def prices_of(request: HttpRequest, version: PlanVersion) -> dict[str, Any]:
    return {
        "version": version,
        "may_add": version.is_draft and request.user.has_perm("catalog.add_price"),
        "may_change": version.is_draft and request.user.has_perm("catalog.change_price"),
        "prices": [
            {
                "record": price,
                "amount": summary_of(price, version.currency),
                "per_million": per_million_text(price.unit_amount, version.currency),
                "tiers": [
                    tier_text(tier, version.currency, unit_of(price)) for tier in in_order(price.tiers.all())
                ],
                "filters": [f"{one.dimension} = {' or '.join(one.values)}" for one in price.filters.all()],
            }
            for price in priced(version)
        ],
    }


register_panel(
    "catalog.planversion",
    Panel(10, "admin/catalog/planversion/prices.html", "catalog.view_price", prices_of, is_wide=True),
)
tenant_site.register(PlanVersion, PlanVersionAdmin)
