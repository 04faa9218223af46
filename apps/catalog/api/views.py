"""/plans"""

from django.db.models import Prefetch, QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.access.models import Scope
from apps.catalog.api.serializers import (
    PlanInput,
    PlanOutput,
    PlanPatch,
    PlanVersionInput,
    PlanVersionOutput,
    PublishInput,
)
from apps.catalog.models import Plan, PlanVersion
from apps.catalog.services import plans, versions
from apps.core import clock
from apps.core.api.idempotency import idempotent


class PlanList(ListAPIView[Plan]):
    """Plans, the newest first."""

    read_scope = Scope.CATALOG_READ
    write_scope = Scope.CATALOG_WRITE
    serializer_class = PlanOutput

    def get_queryset(self) -> QuerySet[Plan]:
        return Plan.objects.select_related("product").prefetch_related(
            Prefetch("versions", queryset=versions_with_prices())
        )

    @extend_schema(request=PlanInput, responses={201: PlanVersionOutput})
    @idempotent
    def post(self, request: Request) -> Response:
        """Create a plan; its first version is a draft until it is published."""
        given = PlanInput(data=request.data)
        given.is_valid(raise_exception=True)
        fields = dict(given.validated_data)
        return Response(PlanVersionOutput(plans.create_plan(**fields)).data, status=201)


def versions_with_prices() -> QuerySet[PlanVersion]:
    return PlanVersion.objects.select_related("plan", "price_book").prefetch_related(
        "prices__meter", "prices__tiers", "prices__filters"
    )


def version_of(code: str, number: int) -> PlanVersion:
    return get_object_or_404(versions_with_prices(), plan__code=code, number=number)


def plan_of(code: str) -> Plan:
    found = Plan.objects.prefetch_related(Prefetch("versions", queryset=versions_with_prices()))
    return get_object_or_404(found, code=code)


class PlanDetail(APIView):
    read_scope = Scope.CATALOG_READ
    write_scope = Scope.CATALOG_WRITE

    @extend_schema(responses=PlanOutput)
    def get(self, request: Request, code: str) -> Response:
        """Read a plan with its versions and prices."""
        return Response(PlanOutput(plan_of(code)).data)

    @extend_schema(request=PlanPatch, responses=PlanOutput)
    def patch(self, request: Request, code: str) -> Response:
        """Change the plan's name, description or product."""
        plan = plan_of(code)
        given = PlanPatch(data=request.data)
        given.is_valid(raise_exception=True)
        plans.update_plan(plan=plan, **given.validated_data)
        return Response(PlanOutput(plan_of(code)).data)


class PlanVersionList(APIView):
    write_scope = Scope.CATALOG_WRITE

    @extend_schema(request=PlanVersionInput, responses={201: PlanVersionOutput})
    @idempotent
    def post(self, request: Request, code: str) -> Response:
        """Draft the next version of a plan."""
        plan = get_object_or_404(Plan, code=code)
        given = PlanVersionInput(data=request.data)
        given.is_valid(raise_exception=True)
        version = plans.draft_version(plan=plan, **given.validated_data)
        return Response(PlanVersionOutput(version).data, status=201)


class PlanVersionPublish(APIView):
    write_scope = Scope.CATALOG_WRITE

    @extend_schema(request=PublishInput, responses=PlanVersionOutput)
    @idempotent
    def post(self, request: Request, code: str, number: int) -> Response:
        """Freeze a draft and offer it. Its prices can't be changed any more."""
        draft = version_of(code, number)
        given = PublishInput(data=request.data or {})
        given.is_valid(raise_exception=True)
        version = versions.publish_version(
            version=draft, now=clock.now(), existing=given.validated_data["existing"]
        )
        return Response(PlanVersionOutput(version).data)


class PlanVersionDetail(APIView):
    read_scope = Scope.CATALOG_READ
    write_scope = Scope.CATALOG_WRITE

    @extend_schema(responses=PlanVersionOutput)
    def get(self, request: Request, code: str, number: int) -> Response:
        """Read one version with its prices."""
        return Response(PlanVersionOutput(version_of(code, number)).data)

    @extend_schema(request=PlanVersionInput, responses=PlanVersionOutput)
    def put(self, request: Request, code: str, number: int) -> Response:
        """Replace the prices of a draft. A published version is frozen: 409."""
        version = version_of(code, number)
        given = PlanVersionInput(data=request.data)
        given.is_valid(raise_exception=True)
        plans.replace_prices(version=version, **given.validated_data)
        return Response(PlanVersionOutput(version_of(code, number)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, code: str, number: int) -> Response:
        """Throw a draft away. A published version stays: 409."""
        plans.delete_draft(version=version_of(code, number))
        return Response(status=204)


class PlanVersionArchive(APIView):
    write_scope = Scope.CATALOG_WRITE

    @extend_schema(request=None, responses=PlanVersionOutput)
    @idempotent
    def post(self, request: Request, code: str, number: int) -> Response:
        """Take a published version off offer. Those who are on it stay."""
        return Response(PlanVersionOutput(versions.archive_version(version=version_of(code, number))).data)
