"""/prices/preview: the calculator"""

from typing import Any, cast

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.access.models import Scope
from apps.catalog.api.serializers import PreviewInput, PreviewOutput
from apps.catalog.api.views import version_of
from apps.catalog.selectors import published_version
from apps.catalog.services import preview
from apps.core.money import money_text
from apps.rating import charge_to_dict

FOR_A_PLAN = frozenset({"plan", "version", "quantities"})
FOR_A_PRICE = frozenset({"currency", "price", "quantity", "event_count", "events", "already_billed"})


class PricePreview(APIView):
    """What a price or a whole plan would cost, by the arithmetic of the bill. Nothing is stored.

    Send `price` with `currency` and `quantity`, or `plan` (and `version`, also a draft's) with `quantities`.
    """

    required_scope = Scope.CATALOG_READ

    @extend_schema(request=PreviewInput, responses=PreviewOutput)
    def post(self, request: Request) -> Response:
        given = PreviewInput(data=request.data)
        given.is_valid(raise_exception=True)
        # The definition and the usage are read by rating, from the request as it is.
        data = cast(dict[str, Any], request.data)
        is_plan = "plan" in data
        preview.refuse_others(data, allowed=FOR_A_PLAN if is_plan else FOR_A_PRICE)
        if is_plan:
            return Response(plan_preview(given.validated_data))
        return Response(charge_to_dict(preview.preview_price(data)))


def plan_preview(fields: dict[str, object]) -> dict[str, object]:
    code, number = str(fields["plan"]), fields.get("version")
    version = version_of(code, number) if isinstance(number, int) else published_version(plan_code=code)
    found = preview.preview_plan(version=version, quantities=fields.get("quantities"))
    return {
        "amount": money_text(found.amount, version.currency),
        "currency": version.currency,
        "plan": code,
        "version": version.number,
        "lines": [
            {"price": price.code, "name": price.name, "model": price.model, **charge_to_dict(charge)}
            for price, charge in found.charges
        ],
    }
