"""What is done to one subscription: /subscriptions/{id}/…"""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.access.models import Scope
from apps.core import clock
from apps.core.api.idempotency import idempotent
from apps.subscriptions.api.serializers import SubscriptionOutput
from apps.subscriptions.api.verbs import Verb, subscription_by_id


def done(verb: Verb, request: Request, public_id: str, **place: str) -> Response:
    subscription = subscription_by_id(public_id)
    given = verb.given(subscription, request.data, place)
    verb.service(subscription=subscription, now=clock.now(), **given)
    return Response(SubscriptionOutput(subscription_by_id(public_id)).data)


def verb_view(verb: Verb) -> Any:
    """The view that does it."""

    class SubscriptionVerb(APIView):
        required_scope = Scope.CUSTOMERS_WRITE

        @extend_schema(request=verb.body, responses=SubscriptionOutput, description=verb.does)
        @idempotent
        def post(self, request: Request, public_id: str, **place: str) -> Response:
            return done(verb, request, public_id, **place)

    return SubscriptionVerb.as_view()
