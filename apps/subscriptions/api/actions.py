"""What is done to one subscription: /subscriptions/{id}/…"""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.access.models import Scope
from apps.core import clock
from apps.core.api.idempotency import idempotent
from apps.subscriptions.api import verbs
from apps.subscriptions.api.serializers import SubscriptionOutput
from apps.subscriptions.api.verbs import Verb, subscription_by_id


def done(verb: Verb, request: Request, public_id: str) -> Response:
    subscription = subscription_by_id(public_id)
    verb.service(subscription=subscription, now=clock.now(), **verb.given(subscription, request.data))
    return Response(SubscriptionOutput(subscription_by_id(public_id)).data)


class SubscriptionChange(APIView):
    required_scope = Scope.CUSTOMERS_WRITE

    @extend_schema(request=verbs.CHANGE.body, responses=SubscriptionOutput)
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        """Change plan, plan version, seats, or several of them: now, when what is paid ends, or on a date."""
        return done(verbs.CHANGE, request, public_id)


class SubscriptionDropScheduledChange(APIView):
    required_scope = Scope.CUSTOMERS_WRITE

    @extend_schema(request=verbs.DROP.body, responses=SubscriptionOutput)
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        """Drop the changes of plan and seats that are still to come. Ends of trials and pauses stay."""
        return done(verbs.DROP, request, public_id)


class SubscriptionPause(APIView):
    required_scope = Scope.CUSTOMERS_WRITE

    @extend_schema(request=verbs.PAUSE.body, responses=SubscriptionOutput)
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        """Ask for no fees and price no usage, until a date or until it is resumed. Usage is counted all the same."""
        return done(verbs.PAUSE, request, public_id)


class SubscriptionResume(APIView):
    required_scope = Scope.CUSTOMERS_WRITE

    @extend_schema(request=verbs.RESUME.body, responses=SubscriptionOutput)
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        """Bill again after a pause."""
        return done(verbs.RESUME, request, public_id)


class SubscriptionCancel(APIView):
    required_scope = Scope.CUSTOMERS_WRITE

    @extend_schema(request=verbs.CANCEL.body, responses=SubscriptionOutput)
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        """End it: what came until then is billed, and nothing after it. Cancelling again replaces what was said."""
        return done(verbs.CANCEL, request, public_id)


class SubscriptionReactivate(APIView):
    required_scope = Scope.CUSTOMERS_WRITE

    @extend_schema(request=verbs.REACTIVATE.body, responses=SubscriptionOutput)
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        """Take a cancellation back before it takes effect."""
        return done(verbs.REACTIVATE, request, public_id)


class SubscriptionChangeTimeZone(APIView):
    required_scope = Scope.CUSTOMERS_WRITE

    @extend_schema(request=verbs.CHANGE_TIME_ZONE.body, responses=SubscriptionOutput)
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        """Follow another time zone from the open period on, which ends at the nearest boundary of the new zone."""
        return done(verbs.CHANGE_TIME_ZONE, request, public_id)


class SubscriptionSetBillingThreshold(APIView):
    required_scope = Scope.CUSTOMERS_WRITE

    @extend_schema(request=verbs.SET_THRESHOLD.body, responses=SubscriptionOutput)
    @idempotent
    def post(self, request: Request, public_id: str) -> Response:
        """Bill usage of the open period as soon as an amount of it is unbilled. It counts from the next minute on."""
        return done(verbs.SET_THRESHOLD, request, public_id)
