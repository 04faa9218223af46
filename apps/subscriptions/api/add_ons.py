"""/subscriptions/{id}/add_ons: what is attached beside the plan."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.models import Scope
from apps.catalog.models import Plan
from apps.catalog.selectors import published_version
from apps.core.api.idempotency import idempotent
from apps.core.errors import Missing
from apps.subscriptions.api.actions import done
from apps.subscriptions.api.serializers import STOREFRONTS, AddOnOutput, SubscriptionOutput
from apps.subscriptions.api.verbs import Fields, SubscriptionResumeInput, Verb, subscription_by_id
from apps.subscriptions.models import Subscription, SubscriptionAddOn
from apps.subscriptions.selectors import version_for
from apps.subscriptions.services import add_ons
from apps.subscriptions.services.subscribe import MAX_QUANTITY


class AddOnAttachInput(SubscriptionResumeInput):
    add_on = serializers.CharField(help_text="The add-on's code.")
    version = serializers.IntegerField(
        required=False, min_value=1, help_text="Default: what the price books offer."
    )
    storefront = serializers.ChoiceField(STOREFRONTS, required=False)
    region = serializers.CharField(
        required=False, max_length=10, help_text="Default: the customer's country."
    )
    quantity = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=MAX_QUANTITY,
        help_text="What its fees per seat are multiplied by; default: 1.",
    )


class AddOnChangeInput(SubscriptionResumeInput):
    quantity = serializers.IntegerField(min_value=1, max_value=MAX_QUANTITY)


def attach_arguments(subscription: Subscription, fields: Fields) -> Fields:
    code, number = fields.pop("add_on"), fields.pop("version", None)
    place = {name: fields.pop(name, "") for name in ("storefront", "region")}
    add_on_by_code(code)
    version = (
        published_version(plan_code=code, number=number)
        if number
        else version_for(customer=subscription.customer, plan_code=code, **place)
    )
    return {**fields, "plan_version": version}


def add_on_by_code(code: str) -> Plan:
    """Raises `Missing` add_on_not_found."""
    found = Plan.objects.filter(code=code).first()
    if found is None:
        raise Missing("add_on_not_found", f"There is no add-on {code!r}.", param="/add_on")
    return found


def attached_arguments(subscription: Subscription, fields: Fields) -> Fields:
    code = fields.pop("code")
    return {**fields, "plan": add_on_by_code(code)}


ATTACH = Verb(
    "add_ons",
    AddOnAttachInput,
    add_ons.attach_add_on,
    does="Attach an add-on, whose fees are asked for beside the plan's: now, when what is paid ends, or on a date.",
    shows="What attaching the add-on would do to the next invoices.",
    arguments=attach_arguments,
)
CHANGE = Verb(
    "change",
    AddOnChangeInput,
    add_ons.change_add_on,
    does="Have more or fewer of an add-on.",
    shows="What more or fewer of the add-on would do to the next invoices.",
    arguments=attached_arguments,
)
DETACH = Verb(
    "detach",
    SubscriptionResumeInput,
    add_ons.detach_add_on,
    does="Detach an add-on, also one that is still to come. What is unused of a fee that was paid at the start comes "
    "back; what was asked for once does not.",
    shows="What detaching the add-on would do to the next invoices.",
    arguments=attached_arguments,
)


class SubscriptionAddOns(ListAPIView[SubscriptionAddOn]):
    """Its add-ons, those of the past and to come too, the newest first. A row for each quantity."""

    read_scope = Scope.CUSTOMERS_READ
    write_scope = Scope.CUSTOMERS_WRITE
    serializer_class = AddOnOutput
    filter_backends = ()

    def get_queryset(self) -> QuerySet[SubscriptionAddOn]:
        if getattr(self, "swagger_fake_view", False):
            return SubscriptionAddOn.objects.none()
        subscription = subscription_by_id(self.kwargs["public_id"])
        return subscription.add_ons.select_related("plan_version__plan")

    @extend_schema(request=ATTACH.body, responses=SubscriptionOutput, description=ATTACH.does)
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        return done(ATTACH, request, public_id)
