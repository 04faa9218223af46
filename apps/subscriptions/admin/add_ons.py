"""Add-ons on a subscription's page: what is attached, and how staff attach, change and detach it."""

from typing import Any

from django import forms
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget

from apps.catalog.models import Plan, PlanVersion
from apps.core import clock
from apps.core.admin.display import instant_text
from apps.core.admin.registry import Panel, register_panel
from apps.subscriptions.admin.change_forms import OfferForm, WhenForm
from apps.subscriptions.admin.changing import Change
from apps.subscriptions.models import Subscription
from apps.subscriptions.outline import PAST, state_at
from apps.subscriptions.services import add_ons
from apps.subscriptions.services.subscribe import MAX_QUANTITY


def quantity_field(help_text: str) -> forms.IntegerField:
    return forms.IntegerField(
        min_value=1,
        max_value=MAX_QUANTITY,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=help_text,
    )


class AttachForm(OfferForm):
    plan = forms.ModelChoiceField(
        Plan.objects.filter(kind=Plan.Kind.ADD_ON),
        label="Add-on",
        empty_label="Select value",
        widget=UnfoldAdminSelectWidget,
    )
    version = forms.ModelChoiceField(
        PlanVersion.objects.none(),
        required=False,
        empty_label="The one on offer",
        widget=UnfoldAdminSelectWidget,
        label="A certain version",
        help_text="Instead of the one that is on offer for this customer.",
    )
    quantity = quantity_field("What its fees per seat are multiplied by.")
    field_order = ("plan", "version", "quantity", "when", "at", "reason")
    kind = Plan.Kind.ADD_ON

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["quantity"].initial = 1


class AttachedForm(WhenForm):
    plan = forms.ModelChoiceField(
        Plan.objects.none(), label="Add-on", empty_label="Select value", widget=UnfoldAdminSelectWidget
    )
    field_order: tuple[str, ...] = ("plan", "when", "at", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        theirs = self.subscription.add_ons.values("plan_id")
        self.fields["plan"].queryset = Plan.objects.filter(pk__in=theirs)  # type: ignore[attr-defined]


class QuantityForm(AttachedForm):
    quantity = quantity_field("So many from then on.")
    field_order = ("plan", "quantity", "when", "at", "reason")


ATTACH = Change(
    title="Attach an add-on",
    text="Its fees are asked for beside the plan's, in the same periods. Of a period that has begun its share is on the"
    " next invoice.",
    button="Attach it",
    form=AttachForm,
    verb=add_ons.attach_add_on,
    done=lambda subscription: "The add-on is attached.",
)
QUANTITY = Change(
    title="Change the quantity of an add-on",
    text="Quantities that were to begin later give way.",
    button="Change the quantity",
    form=QuantityForm,
    verb=add_ons.change_add_on,
    done=lambda subscription: "The quantity is changed.",
)
DETACH = Change(
    title="Detach an add-on",
    text="What is unused of a fee that was paid at the start comes back on the next invoice; what was asked for once"
    " does not. An add-on that is still to come is taken back.",
    button="Detach it",
    form=AttachedForm,
    verb=add_ons.detach_add_on,
    done=lambda subscription: "The add-on is detached.",
    is_dangerous=True,
)


def has_add_ons(subscription: Subscription) -> bool:
    """Whether any is attached, or to come."""
    now = clock.now()
    return any(state_at(now, one) != PAST for one in subscription.add_ons.all())


def add_ons_of(request: HttpRequest, subscription: Subscription) -> dict[str, Any] | None:
    """The newest first; None where there was never any."""
    now, zone = clock.now(), subscription.time_zone
    rows = [
        {
            "version": one.plan_version,
            "quantity": f"{one.quantity:,}",
            "from": instant_text(one.starts_at, zone),
            "until": instant_text(one.ends_at, zone) if one.ends_at else "until it is detached",
            "state": state_at(now, one).capitalize(),
        }
        for one in reversed(subscription.add_ons.all())
    ]
    return {"rows": rows} if rows else None


register_panel(
    "subscriptions.subscription",
    Panel(
        12,
        "admin/subscriptions/subscription/add_ons.html",
        "subscriptions.view_subscription",
        add_ons_of,
        is_wide=True,
    ),
)
