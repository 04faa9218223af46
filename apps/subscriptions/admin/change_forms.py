"""What the actions on a subscription ask for. What moves money has no default: it is chosen."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelect2Widget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from apps.catalog.models import Plan, PlanVersion
from apps.core.admin.display import instant_text
from apps.core.errors import Missing
from apps.core.money import money_display
from apps.core.validators import time_zone_choices
from apps.subscriptions.api.serializers import MAX_REASON
from apps.subscriptions.models import Subscription
from apps.subscriptions.outline import phase_at
from apps.subscriptions.selectors import version_for
from apps.subscriptions.services.subscribe import MAX_QUANTITY
from apps.subscriptions.services.when import When


class LocalInstantField(forms.DateTimeField):
    """An instant, typed as local time of the subscription's zone."""

    zone = ZoneInfo("UTC")
    widget = UnfoldAdminTextInputWidget(attrs={"type": "datetime-local"})

    def to_python(self, value: Any) -> datetime | None:
        with timezone.override(self.zone):
            return super().to_python(value)


class ChangeForm(forms.Form):
    """`arguments` are those of the service, beside the subscription and the time; `amounts` names what is money."""

    amounts: tuple[str, ...] = ()
    reason = forms.CharField(
        max_length=MAX_REASON, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}), help_text="Kept for ever."
    )

    def __init__(self, *args: Any, subscription: Subscription, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.subscription, self.now = subscription, now
        for field in self.fields.values():
            if isinstance(field, LocalInstantField):
                field.zone = ZoneInfo(subscription.time_zone)
                field.help_text = f"{field.help_text} Local time in {subscription.time_zone}.".strip()

    def arguments(self) -> dict[str, Any]:
        return {name: value for name, value in self.cleaned_data.items() if value not in (None, "")}

    def follows(self) -> list[tuple[str, str]]:
        """What follows from what was typed, told beside it before it is confirmed."""
        return []


class WhenForm(ChangeForm):
    when = forms.ChoiceField(choices=When.choices, widget=UnfoldAdminRadioSelectWidget, label="When")
    at = LocalInstantField(required=False, help_text="Only for a certain time.")
    field_order: tuple[str, ...] = ("when", "at", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        subscription = self.subscription
        renewal_at = subscription.timeline().renewal_at(max(self.now, subscription.invoiced_until))
        labels = dict(When.choices) | {
            When.PERIOD_END.value: f"{When.PERIOD_END.label}: {instant_text(renewal_at, subscription.time_zone)}"
        }
        self.fields["when"].choices = list(labels.items())  # type: ignore[attr-defined]


class OfferForm(WhenForm):
    """One with a plan of a kind, and perhaps a certain version of it."""

    kind = Plan.Kind.PLAN

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Those of others would be refused; they are not even named.
        versions = PlanVersion.objects.filter(status=PlanVersion.Status.PUBLISHED, plan__kind=self.kind)
        mine = versions.filter(negotiated_for__customer=self.subscription.customer_id)
        self.fields["version"].queryset = (  # type: ignore[attr-defined]
            (versions.filter(is_negotiated=False) | mine)
            .filter(currency=self.subscription.customer.currency)
            .select_related("plan", "price_book")
        )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        plan, version = cleaned.get("plan"), cleaned.get("version")
        if plan is not None and version is not None and version.plan_id != plan.pk:
            self.add_error("version", f"{version} is not a version of {plan}.")
        elif plan is not None and version is None:
            cleaned["version"] = self.offered(plan)
        return cleaned

    def offered(self, plan: Plan) -> PlanVersion | None:
        """Bought where the present version was bought."""
        book = self.subscription.plan_version.price_book
        try:
            return version_for(
                customer=self.subscription.customer,
                plan_code=plan.code,
                storefront=book.storefront if book else "",
                region=book.region if book else "",
            )
        except Missing as missing:
            self.add_error("plan", missing.message)
            return None

    def arguments(self) -> dict[str, Any]:
        given = super().arguments()
        given.pop("plan", None)
        version = given.pop("version", None)
        return given if version is None else {**given, "plan_version": version}


class TermsForm(OfferForm):
    plan = forms.ModelChoiceField(
        Plan.objects.filter(kind=Plan.Kind.PLAN),
        required=False,
        empty_label="As it is",
        widget=UnfoldAdminSelectWidget,
    )
    version = forms.ModelChoiceField(
        PlanVersion.objects.none(),
        required=False,
        empty_label="The one on offer",
        widget=UnfoldAdminSelectWidget,
        label="A certain version",
        help_text="Instead of the one that the plan offers this customer.",
    )
    quantity = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=MAX_QUANTITY,
        widget=UnfoldAdminIntegerFieldWidget,
        label="Seats",
    )
    field_order = ("plan", "version", "quantity", "when", "at", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        seats = phase_at(self.subscription, self.now).quantity
        self.fields["quantity"].help_text = f"Empty: as they are, {seats:,}."


class PauseForm(WhenForm):
    resume_at = LocalInstantField(
        required=False, label="Resume at", help_text="Empty: until somebody resumes it."
    )
    field_order = ("when", "at", "resume_at", "reason")


class CancelForm(WhenForm):
    unused = forms.ChoiceField(
        choices=Subscription.Unused.choices,
        widget=UnfoldAdminRadioSelectWidget,
        label="Fees that were billed for time after the end",
    )
    field_order = ("when", "at", "unused", "reason")


class TimeZoneForm(ChangeForm):
    time_zone = forms.ChoiceField(
        choices=lambda: [("", "Select value"), *time_zone_choices()], widget=UnfoldAdminSelect2Widget
    )
    field_order = ("time_zone", "reason")


class ThresholdForm(ChangeForm):
    amounts = ("amount",)
    amount = forms.DecimalField(
        required=False,
        max_digits=28,
        decimal_places=4,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"}),
        label="Threshold",
    )
    field_order = ("amount", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        currency, threshold = self.subscription.plan_version.currency, self.subscription.billing_threshold
        now = "none" if threshold is None else money_display(threshold, currency)
        self.fields[
            "amount"
        ].help_text = f"In {currency}. Empty: usage is billed at the end of its period. It is {now} now."
