"""A change of a subscription is asked for, previewed by the code that makes it, and confirmed: three steps on one page.

The confirmation carries a seal of what was looked at. The change is then made as of the instant of the preview; when
something about the subscription or the form is not as it was, the preview is shown anew.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.core import signing
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from apps.core import clock
from apps.core.admin.base import BackOfficeAdmin
from apps.core.admin.confirmation import action_of, page_of
from apps.core.admin.display import amount_text, instant_text, quantity_text
from apps.core.errors import Refused
from apps.rating import RatingError
from apps.subscriptions.admin.change_forms import ChangeForm
from apps.subscriptions.admin.previews import preview_of
from apps.subscriptions.models import Subscription
from apps.subscriptions.outline import fingerprint
from apps.subscriptions.services.rewrite import locked

SALT = "subscriptions.change"
VALID_FOR = timedelta(hours=1)
NEW_LOOK = "Something has changed since you looked, or it was long ago. This is what would happen now."


@dataclass(frozen=True, slots=True)
class Change:
    """What is asked, and the verb that does it. `done` is told afterwards of the subscription as it then is."""

    title: str
    text: str
    button: str
    form: type[ChangeForm]
    verb: Callable[..., Subscription]
    done: Callable[[Subscription], str]
    is_dangerous: bool = False
    # What a preview depends on beside the life as it stands.
    known: Callable[[Subscription], str] = lambda subscription: ""


def ask_with_preview(
    model_admin: BackOfficeAdmin,
    request: HttpRequest,
    change: Change,
    subscription: Subscription,
    *,
    is_on_offer: bool | None = None,
) -> HttpResponse:
    """`is_on_offer` is asked of the page's admin, unless it is told."""
    now = clock.now()
    back = page_of(model_admin, subscription)
    if is_on_offer is None:
        is_on_offer = model_admin.is_on_offer(action_of(request), subscription)
    if request.method != "POST" and not is_on_offer:
        model_admin.tell(request, "This can't be done any more: somebody was faster.", refused=True)
        return HttpResponseRedirect(back)
    posted = request.POST if request.method == "POST" else None
    form = change.form(posted, subscription=subscription, now=now)
    preview, note = None, ""
    if posted is not None and "edit" not in posted and form.is_valid():
        try:
            made = confirmed(request, form, change, now) if "seal" in posted else None
            if made is not None:
                model_admin.tell(request, change.done(made))
                return HttpResponseRedirect(back)
            note = NEW_LOOK if "seal" in posted else ""
            preview = preview_of(change.verb, subscription=subscription, now=now, **form.arguments())
        except Refused as refused:
            tell_refused(form, model_admin.field_of(refused.param), refused.message)
        except RatingError as error:
            tell_refused(form, "", f"This can't be priced: {error}")
    context = {
        **model_admin.admin_site.each_context(request),
        "title": change.title,
        "change": change,
        "subscription": subscription,
        "form": form,
        "preview": preview,
        "note": note,
        "chosen": chosen_in(form, subscription) if preview else [],
        "seal": sealed(now, seal_text(request, form, change)) if preview else "",
        "opts": model_admin.opts,
        "original": subscription,
        "back": back,
    }
    return TemplateResponse(request, "admin/subscriptions/subscription/change.html", context)


@transaction.atomic
def confirmed(request: HttpRequest, form: ChangeForm, change: Change, now: datetime) -> Subscription | None:
    """Make the change as of the look; None when it is another one by now.

    Who confirms twice at once stands in line for the row, and finds what the first has done.
    """
    locked(form.subscription)
    looked_at = instant_of_seal(form.data.get("seal", ""), seal_text(request, form, change), now)
    if looked_at is None:
        return None
    return change.verb(subscription=form.subscription, now=looked_at, **form.arguments())


def tell_refused(form: forms.Form, param: str, message: str) -> None:
    field = param.strip("/").split("/")[0]
    form.add_error(field if field in form.fields else None, message)


def chosen_in(form: ChangeForm, subscription: Subscription) -> list[tuple[str, str]]:
    """What was typed, in words, and what follows from it."""
    words = []
    for bound in form:
        value = form.cleaned_data.get(bound.name)
        if value in (None, ""):
            continue
        if isinstance(value, datetime):
            text = instant_text(value, subscription.time_zone)
        elif isinstance(value, Decimal):
            is_money = bound.name in form.amounts
            text = (
                amount_text(value, subscription.plan_version.currency) if is_money else quantity_text(value)
            )
        elif isinstance(bound.field, forms.ChoiceField) and not isinstance(
            bound.field, forms.ModelChoiceField
        ):
            text = str(dict(bound.field.choices).get(value, value))  # type: ignore[arg-type]
        else:
            text = str(value)
        words.append((str(bound.label), text))
    return [*words, *form.follows()]


# The seal


def seal_text(request: HttpRequest, form: ChangeForm, change: Change) -> str:
    """All that a preview depends on but the time: what is changed, what was typed, and the life as it stands."""
    subscription = form.subscription
    typed: dict[str, Any] = {name: form.data.get(name, "") for name in form.fields}
    known = f"{fingerprint(subscription)} {change.known(subscription)}"
    text = f"{subscription.pk} {action_of(request)} {sorted(typed.items())} {known}"
    return hashlib.sha256(text.encode()).hexdigest()


def sealed(now: datetime, text: str) -> str:
    return signing.dumps([now.isoformat(), text], salt=SALT)


def instant_of_seal(seal: str, text: str, now: datetime) -> datetime | None:
    """When the preview was made; None when it was of something else, or too long ago."""
    try:
        at, of = signing.loads(seal, salt=SALT)
    except signing.BadSignature:
        return None
    looked_at = datetime.fromisoformat(at)
    return looked_at if of == text and now - VALID_FOR <= looked_at <= now else None
