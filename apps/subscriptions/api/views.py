"""/subscriptions"""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.access.models import Scope
from apps.catalog.selectors import published_version
from apps.core import clock
from apps.core.api.idempotency import idempotent
from apps.customers.selectors import customer_by_reference
from apps.subscriptions.api.filters import SubscriptionFilter
from apps.subscriptions.api.serializers import SubscriptionInput, SubscriptionOutput
from apps.subscriptions.api.verbs import subscription_by_id
from apps.subscriptions.models import Subscription
from apps.subscriptions.outline import with_phases
from apps.subscriptions.selectors import version_for
from apps.subscriptions.services import subscribe as subscribing

# What `subscribe` decides on when a request does not say.
OPTIONAL = ("billing_day", "trial_days", "trial_covers", "billing_threshold", "reason")


class SubscriptionList(ListAPIView[Subscription]):
    """Subscriptions with their phases, the newest first."""

    read_scope = Scope.CUSTOMERS_READ
    write_scope = Scope.CUSTOMERS_WRITE
    serializer_class = SubscriptionOutput
    filterset_class = SubscriptionFilter

    def get_queryset(self) -> QuerySet[Subscription]:
        return with_phases(Subscription.objects.all())

    @extend_schema(request=SubscriptionInput, responses={201: SubscriptionOutput})
    @idempotent
    def post(self, request: Request) -> Response:
        """Put a customer on a plan. A start in the past is billed by the next run of the close job."""
        given = SubscriptionInput(data=request.data)
        given.is_valid(raise_exception=True)
        fields = given.validated_data
        now = clock.now()
        customer = customer_by_reference(fields["customer"])
        if "version" in fields:
            version = published_version(plan_code=fields["plan"], number=fields["version"])
        else:
            version = version_for(
                customer=customer,
                plan_code=fields["plan"],
                storefront=fields.get("storefront", ""),
                region=fields.get("region", ""),
            )
        subscription = subscribing.subscribe(
            customer=customer,
            plan_version=version,
            started_at=fields.get("started_at") or now,
            now=now,
            billing_anchor=fields["billing_anchor"],
            quantity=fields["quantity"],
            trial_end=fields["trial_end"],
            **{name: fields[name] for name in OPTIONAL if name in fields},
        )
        return Response(SubscriptionOutput(subscription_by_id(subscription.public_id)).data, status=201)


class SubscriptionDetail(APIView):
    read_scope = Scope.CUSTOMERS_READ

    @extend_schema(responses=SubscriptionOutput)
    def get(self, request: Request, public_id: str) -> Response:
        """Read a subscription: what counts now, its open period, and its phases past and scheduled."""
        return Response(SubscriptionOutput(subscription_by_id(public_id)).data)
