"""The form that puts a customer on a plan: all that `subscribe` can be told."""

from decimal import Decimal
from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from apps.catalog.models import Plan, PlanVersion, PriceBook
from apps.catalog.models.plan import MAX_TRIAL_DAYS
from apps.core.errors import Missing
from apps.subscriptions.models import Subscription
from apps.subscriptions.selectors import version_for
from apps.subscriptions.services.subscribe import MAX_QUANTITY, TrialEnd


class NewSubscriptionForm(forms.ModelForm):
    """The plan is enough: where it is bought decides on the version, unless one is named."""

    plan = forms.ModelChoiceField(
        Plan.objects.filter(kind=Plan.Kind.PLAN),
        required=False,
        empty_label="Select value",
        widget=UnfoldAdminSelectWidget,
    )
    storefront = forms.ChoiceField(
        choices=PriceBook.Storefront.choices,
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text="Where it is bought: decides on the price book.",
    )
    region = forms.CharField(
        max_length=10,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "EU or DE"}),
        help_text="Empty: the customer's country.",
    )

    quantity = forms.IntegerField(
        min_value=1,
        max_value=MAX_QUANTITY,
        required=False,
        initial=1,
        label="Seats",
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="What fees per seat are multiplied by.",
    )
    trial_days = forms.IntegerField(
        min_value=0,
        max_value=MAX_TRIAL_DAYS,
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Empty: as the plan says. 0: no trial.",
    )
    trial_covers = forms.ChoiceField(
        choices=[("", "As the plan says"), *PlanVersion.TrialCovers.choices],
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text="What is free.",
    )
    trial_end = forms.ChoiceField(
        choices=TrialEnd.choices,
        required=False,
        initial=TrialEnd.CONTINUE,
        label="When the trial is over",
        widget=UnfoldAdminSelectWidget,
    )

    billing_threshold = forms.DecimalField(
        required=False,
        min_value=Decimal("0.0001"),
        max_digits=28,
        decimal_places=4,
        error_messages={"min_value": "A threshold is an amount above zero."},
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"}),
        help_text="In the plan's currency: usage is billed as soon as so much is unbilled. Empty: at the end of the"
        " period.",
    )

    class Meta:
        model = Subscription
        fields = ("customer", "plan_version", "started_at", "billing_anchor", "billing_day")
        labels = {"plan_version": "A certain version"}
        help_texts = {
            "plan_version": "Instead of the one the plan offers this customer.",
            "started_at": "UTC. May lie in the past: the periods since then are billed, the oldest first.",
            "billing_anchor": "Where its periods begin, in the customer's time zone.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "plan_version" in self.fields:
            self.fields["plan_version"].required = False

    def validate_constraints(self) -> None:
        """The service refuses what does not fit together, at its field and in words that help."""

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if self.errors or cleaned.get("plan_version") is not None:
            return cleaned
        if cleaned.get("plan") is None:
            self.add_error("plan", "Choose a plan, or a certain version.")
            return cleaned
        try:
            cleaned["plan_version"] = version_for(
                customer=cleaned["customer"],
                plan_code=cleaned["plan"].code,
                storefront=cleaned["storefront"],
                region=cleaned["region"].upper(),
            )
        except Missing as missing:
            self.add_error("plan", missing.message)
        return cleaned
