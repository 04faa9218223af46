"""What staff do to one subscription. Each shows the invoices without it and with it, and asks for a reason."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from unfold.decorators import action
from unfold.enums import ActionVariant

from apps.core import clock
from apps.core.admin.base import BackOfficeAdmin
from apps.core.admin.display import instant_text
from apps.core.money import money_display
from apps.subscriptions.admin.add_ons import ATTACH, DETACH, QUANTITY, has_add_ons
from apps.subscriptions.admin.change_forms import (
    CancelForm,
    ChangeForm,
    PauseForm,
    TermsForm,
    ThresholdForm,
    TimeZoneForm,
    WhenForm,
)
from apps.subscriptions.admin.changing import Change, ask_with_preview
from apps.subscriptions.models import Subscription
from apps.subscriptions.outline import has_pause, has_scheduled_change
from apps.subscriptions.services import (
    cancel,
    change_subscription,
    change_time_zone,
    pause,
    set_billing_threshold,
)

MAY_CHANGE = "subscriptions.change_subscription"


def end_told(subscription: Subscription) -> str:
    if subscription.status == Subscription.Status.ENDED:
        return f"{subscription} has ended."
    return f"{subscription} ends at {instant_text(subscription.ends_at, subscription.time_zone)}."


TERMS = Change(
    title="Change plan or seats",
    text="Prices, fees and usage follow the new terms from the instant that you choose. Changes that were to begin"
    " later give way.",
    button="Make the change",
    form=TermsForm,
    verb=change_subscription.change_subscription,
    done=lambda subscription: (
        f"The change is on the timeline; the open period is on {subscription.plan_version}."
    ),
)
PAUSE = Change(
    title="Pause the subscription",
    text="While it is paused no fees are asked for, and usage is counted but not priced. Periods go on.",
    button="Pause it",
    form=PauseForm,
    verb=pause.pause,
    done=lambda subscription: "The pause is on the timeline.",
)
RESUME = Change(
    title="Resume the subscription",
    text="It is billed again from the instant that you choose.",
    button="Resume it",
    form=WhenForm,
    verb=pause.resume,
    done=lambda subscription: "It is billed again as the timeline says.",
)
CANCEL = Change(
    title="Cancel the subscription",
    text="What came until the end is billed, and nothing after it. It can be taken back until then.",
    button="Cancel the subscription",
    form=CancelForm,
    verb=cancel.cancel,
    done=end_told,
    is_dangerous=True,
)
REACTIVATE = Change(
    title="Reactivate the subscription",
    text="The cancellation is taken back: it goes on as if nobody had cancelled it.",
    button="Reactivate it",
    form=ChangeForm,
    verb=cancel.reactivate,
    done=lambda subscription: f"{subscription} goes on.",
)
DROP = Change(
    title="Drop the scheduled change",
    text="What counts now goes on. Ends of trials and pauses stay as they are.",
    button="Drop the change",
    form=ChangeForm,
    verb=change_subscription.drop_scheduled_change,
    done=lambda subscription: "The scheduled change is dropped.",
)
TIME_ZONE = Change(
    title="Change the time zone",
    text="The open period ends at the boundary of the new zone that is nearest to its end, and counts as whole.",
    button="Change the time zone",
    form=TimeZoneForm,
    verb=change_time_zone.change_time_zone,
    done=lambda subscription: f"It follows the time of {subscription.time_zone} from the open period on.",
)

THRESHOLD = Change(
    title="Set the threshold",
    text="Usage of the open period is billed as soon as so much of it is unbilled, and what is left at its end. Where"
    " that is reached already, an invoice is made within the next minute.",
    button="Set the threshold",
    form=ThresholdForm,
    verb=set_billing_threshold.set_billing_threshold,
    done=lambda subscription: (
        "Usage is billed at the end of its period."
        if subscription.billing_threshold is None
        else f"Usage is billed at {money_display(subscription.billing_threshold, subscription.plan_version.currency)}"
        " unbilled."
    ),
)


def asks(change: Change, label: str, icon: str, variant: ActionVariant = ActionVariant.DEFAULT) -> Any:
    """A page's action that asks for the change, shows what it would do, and makes it."""

    @action(description=label, icon=icon, variant=variant, permissions=[MAY_CHANGE])
    def ask(page: BackOfficeAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
        return ask_with_preview(page, request, change, page.record_of(request, object_id))

    return ask


class SubscriptionActions(BackOfficeAdmin):
    # What is seldom done waits in a menu: otherwise the head had no room for the customer's name.
    actions_detail: Any = (
        "change_terms", "resume", "reactivate", "pause", "cancel_it",
        {"title": "Add-ons", "items": ["attach_add_on", "change_add_on", "detach_add_on"]},
        {"title": "More", "items": ["drop_change", "set_threshold", "move_time_zone"]},
    )  # fmt: skip

    def is_on_offer(self, action: str, record: Subscription) -> bool:
        if record.status != Subscription.Status.ACTIVE:
            return False
        now = clock.now()
        if action == "resume":
            return has_pause(record, now)
        if action == "reactivate":
            return record.ends_at is not None and record.ends_at > now
        if action == "drop_change":
            return has_scheduled_change(record, now)
        if action in ("change_add_on", "detach_add_on"):
            return has_add_ons(record)
        return True

    def field_of(self, param: str) -> str:
        """Forms name an add-on by its plan."""
        return "/plan" if param == "/add_on" else super().field_of(param)

    change_terms = asks(TERMS, "Change plan or seats", "swap_horiz", ActionVariant.PRIMARY)
    pause = asks(PAUSE, "Pause", "pause")
    resume = asks(RESUME, "Resume", "play_arrow")
    cancel_it = asks(CANCEL, "Cancel", "cancel")
    reactivate = asks(REACTIVATE, "Reactivate", "undo")
    drop_change = asks(DROP, "Drop the change", "event_busy")
    set_threshold = asks(THRESHOLD, "Threshold", "data_thresholding")
    move_time_zone = asks(TIME_ZONE, "Time zone", "schedule")
    attach_add_on = asks(ATTACH, "Attach", "add_circle")
    change_add_on = asks(QUANTITY, "Change the quantity", "exposure")
    detach_add_on = asks(DETACH, "Detach", "do_not_disturb_on")
