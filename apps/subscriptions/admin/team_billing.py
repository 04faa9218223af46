"""On a customer's page: who pays for the team, or which teams it pays for; and the two forms that change it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.widgets import UnfoldAdminRadioSelectWidget, UnfoldAdminTextareaWidget

from apps.core import clock
from apps.core.admin.base import BackOfficeAdmin
from apps.core.admin.confirmation import Question
from apps.core.admin.display import instant_text
from apps.core.admin.registry import Panel, facts_for, register_panel
from apps.core.errors import Refused
from apps.customers.models import Customer, TeamBilling
from apps.customers.selectors import team_billings_ending_after
from apps.subscriptions.admin.change_forms import LocalInstantField
from apps.subscriptions.admin.changing import instant_of_seal, sealed
from apps.subscriptions.api.serializers import MAX_REASON
from apps.subscriptions.services import team_billing
from apps.subscriptions.services.team_billing import Starting, billed_until_of

MAY_BILL = "subscriptions.change_subscription"
SHOWN = 20
QUESTION = "subscriptions.team_billing"

Verb = Callable[..., TeamBilling]


@dataclass(frozen=True, slots=True)
class AskedOfTeam:
    """What is about to be done, for those who know what it costs."""

    verb: Verb
    team: Customer
    now: datetime
    given: dict[str, Any]


class TeamBillingForm(forms.Form):
    when = forms.ChoiceField(
        choices=Starting.choices, widget=UnfoldAdminRadioSelectWidget, label="From when on"
    )
    at = LocalInstantField(required=False, help_text="Only for a certain time.")
    reason = forms.CharField(
        max_length=MAX_REASON, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}), help_text="Kept for ever."
    )

    def __init__(self, *args: Any, zone: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["at"]
        assert isinstance(field, LocalInstantField)
        field.zone = ZoneInfo(zone)
        field.help_text = f"{field.help_text} Local time in {zone}."


class TeamBillingPages(BackOfficeAdmin):
    """Two pages that belong to a customer. They lie here, because they change what subscriptions bill."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path(
                f"teams/<int:customer_id>/{verb}/",
                view(page),
                name=f"subscriptions_subscription_{verb}_to_parent",
            )
            for verb, page in (("bill", self.bill_to_parent), ("stop_billing", self.stop_billing_to_parent))
        ]
        return [*own, *super().get_urls()]

    def bill_to_parent(self, request: HttpRequest, customer_id: int) -> HttpResponse:
        team = self.team_of(request, customer_id)
        question = Question(
            title=f"Bill {team} to {team.parent}?",
            text=f"From then on the subscriptions of {team.parent} price what {team} uses together with their own"
            " usage: one set of tiers, one included quantity. Their invoices say who used what. What was used before"
            " stays as it is.",
            facts=facts_of(team, team.parent),
            button="Bill it to the parent",
        )
        return self.ask_team(request, team, question, team_billing.bill_team_to_parent)

    def stop_billing_to_parent(self, request: HttpRequest, customer_id: int) -> HttpResponse:
        team = self.team_of(request, customer_id)
        running = team_billings_ending_after(clock.now()).filter(team=team).select_related("payer").first()
        payer = running.payer if running else team.parent
        question = Question(
            title=f"Stop billing {team} to {payer}?",
            text=f"What {team} uses from then on is not on the invoices of {payer} any more, and nobody bills it until"
            " the team has a subscription of its own. Late usage of the time before still joins them.",
            facts=facts_of(team, payer),
            button="Stop billing it to the parent",
            is_dangerous=True,
        )
        return self.ask_team(request, team, question, team_billing.stop_billing_team_to_parent)

    def team_of(self, request: HttpRequest, customer_id: int) -> Customer:
        if not request.user.has_perm(MAY_BILL):
            raise PermissionDenied
        return get_object_or_404(Customer.objects.select_related("parent"), pk=customer_id)

    def ask_team(self, request: HttpRequest, team: Customer, question: Question, verb: Verb) -> HttpResponse:
        """What is typed is looked at first: the second time it comes with a seal of that look, and is done."""
        now, back = clock.now(), reverse("admin:customers_customer_change", args=[team.pk])
        form = TeamBillingForm(request.POST if request.method == "POST" else None, zone=team.time_zone)
        if request.method == "POST" and form.is_valid():
            given = {name: value for name, value in form.cleaned_data.items() if value not in (None, "")}
            text = seal_text(verb, team, given)
            looked_at = instant_of_seal(request.POST.get("seal", ""), text, now)
            try:
                if looked_at is not None:
                    self.tell(request, done_text(verb(team=team, now=looked_at, **given), team))
                    return HttpResponseRedirect(back)
                found = facts_for(QUESTION, AskedOfTeam(verb, team, now, given))
                question = replace(
                    question, facts={**question.facts, **found}, hidden=[("seal", sealed(now, text))]
                )
            except Refused as refused:
                field = refused.param.strip("/")
                form.add_error(field if field in form.fields else None, refused.message)
        context = {
            **self.admin_site.each_context(request),
            "title": question.title,
            "question": question
            if question.hidden
            else replace(question, button="Preview", is_dangerous=False),
            "form": form,
            "opts": team._meta,
            "original": team,
            "back": back,
        }
        return TemplateResponse(request, "admin/confirm.html", context)


def seal_text(verb: Verb, team: Customer, given: dict[str, Any]) -> str:
    """All that a look depends on but the time: the verb, what was typed, and who is billed to whom by now."""
    known = TeamBilling.objects.filter(team=team).order_by("pk").values_list("pk", "ends_at")
    text = f"{verb.__name__} {team.pk} {team.parent_id} {sorted(given.items())} {list(known)}"
    return hashlib.sha256(text.encode()).hexdigest()


def facts_of(team: Customer, payer: Customer | None) -> dict[str, Any]:
    """Who, and how far the payer is billed."""
    billed_until = None if payer is None else billed_until_of(payer)
    return {
        "Team": team,
        "Payer": payer or "No parent",
        "Billed until": instant_text(billed_until, team.time_zone) if billed_until else "Nothing yet",
    }


def done_text(billing: TeamBilling, team: Customer) -> str:
    zone = team.time_zone
    if billing.ends_at is None:
        return f"{team} is billed to {billing.payer} from {instant_text(billing.starts_at, zone)} on."
    if billing.ends_at == billing.starts_at:
        return f"{team} is not billed to {billing.payer}: it had not begun."
    return f"{team} is billed to {billing.payer} until {instant_text(billing.ends_at, zone)}."


def billing_of(request: HttpRequest, customer: Customer) -> dict[str, Any] | None:
    """None for a customer that is neither a team nor has any, now or before."""
    billings = TeamBilling.objects.select_related("team", "payer").order_by("-starts_at")
    as_team = list(billings.filter(team=customer)[:SHOWN])
    as_payer = list(billings.filter(payer=customer).order_by("team__name", "-starts_at")[: SHOWN + 1])
    teams = list(customer.children.order_by("name")[:SHOWN])
    if not (as_team or as_payer or teams or customer.parent_id):
        return None
    now, zone = clock.now(), customer.time_zone
    is_running = any(one.ends_at is None or one.ends_at > now for one in as_team)
    may_change = request.user.has_perm(MAY_BILL)
    billed_now = {one.team_id for one in as_payer if one.runs_at(now)}
    return {
        "customer": customer,
        "as_team": [row_of(one, one.payer, zone, now) for one in as_team],
        "as_payer": [row_of(one, one.team, zone, now) for one in as_payer[:SHOWN]],
        "are_more": len(as_payer) > SHOWN,
        "not_billed": [one for one in teams if one.pk not in billed_now],
        "may_bill": may_change and not is_running and customer.parent_id is not None,
        "may_stop": may_change and is_running,
    }


def row_of(billing: TeamBilling, other: Customer, zone: str, now: datetime) -> dict[str, Any]:
    ended = billing.ends_at is not None and billing.ends_at <= now
    return {
        "customer": other,
        "since": instant_text(billing.starts_at, zone),
        "until": instant_text(billing.ends_at, zone) if billing.ends_at else "",
        "state": "Ended" if ended else "Billed here" if billing.starts_at <= now else "To come",
    }


register_panel(
    "customers.customer",
    Panel(
        15,
        "admin/subscriptions/subscription/teams_of_customer.html",
        "subscriptions.view_subscription",
        billing_of,
    ),
)
