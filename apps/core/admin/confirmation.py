"""Actions that ask first: a page with what will happen, then one service call, then a message."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from apps.core.admin.base import BackOfficeAdmin
from apps.core.errors import Refused


@dataclass(frozen=True, slots=True)
class Question:
    """What the page asks. `facts` are shown as a table, `form` (unbound) asks for what the service needs."""

    title: str
    button: str
    facts: dict[str, Any] = field(default_factory=dict)
    text: str = ""
    form: type[Form] | None = None
    initial: dict[str, Any] = field(default_factory=dict)
    is_dangerous: bool = False
    # What a POST must repeat: the marked rows of an action on a list.
    hidden: list[tuple[str, str]] = field(default_factory=list)


def ask(
    model_admin: BackOfficeAdmin,
    request: HttpRequest,
    question: Question,
    act: Callable[[dict[str, Any]], str],
    *,
    record: Model | None = None,
    is_answered: bool | None = None,
    is_on_offer: bool | None = None,
    back: str = "",
) -> HttpResponse:
    """Show the question; when it is answered call `act` with the form's data and show the message it returns.

    `is_on_offer` is known to who asks about a record of another page, `back` to who asks from another page than the
    record's or the list.

    What a service refuses is shown with the form as it was typed, at its field if it is about one. Without a form it
    is a message on the page one comes back to.
    """
    answered = request.method == "POST" if is_answered is None else is_answered
    if record is not None and is_on_offer is None:
        is_on_offer = model_admin.is_on_offer(action_of(request), record)
    if is_on_offer is False and not answered:
        model_admin.tell(request, "This can't be done any more: somebody was faster.", refused=True)
        return HttpResponseRedirect(back or page_of(model_admin, record))
    form = (
        question.form(request.POST if answered else None, initial=question.initial) if question.form else None
    )
    if answered and (form is None or form.is_valid()):
        try:
            model_admin.tell(request, act(form.cleaned_data if form else {}))
        except Refused as refused:
            field = model_admin.field_of(refused.param).strip("/").split("/")[0]
            is_shown = form is not None and field in form.fields
            if form is not None and is_shown and form.fields[field].widget.is_hidden:
                # What the page itself sent along is out of date: it is asked anew, with what is true by now.
                model_admin.tell(request, refused.message, refused=True)
                return HttpResponseRedirect(request.get_full_path())
            if form is not None and is_shown:
                form.add_error(field, refused.message)
            else:
                model_admin.tell(request, refused.message, refused=True)
            if form is None:
                return HttpResponseRedirect(back or page_of(model_admin, record))
        else:
            return HttpResponseRedirect(back or page_of(model_admin, record))
    context = {
        **model_admin.admin_site.each_context(request),
        "title": question.title,
        "question": question,
        "form": form,
        "opts": model_admin.opts,
        "original": record,
        "back": back or page_of(model_admin, record),
    }
    return TemplateResponse(request, "admin/confirm.html", context)


def action_of(request: HttpRequest) -> str:
    """The name of the action whose page this is: unfold names its URL <app>_<model>_<action>."""
    name = request.resolver_match.url_name if request.resolver_match else None
    return name.split("_", 2)[2] if name else ""


def page_of(model_admin: BackOfficeAdmin, record: Model | None = None) -> str:
    opts = model_admin.opts
    view = f"admin:{opts.app_label}_{opts.model_name}_"
    if record is None:
        return reverse(f"{view}changelist")
    return reverse(f"{view}change", args=[model_admin.locator_of(record)])
