"""/products, /features and /price_books: what plans refer to"""

from typing import Any

from django.db.models import Model, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.mixins import UpdateModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.models import Scope
from apps.audit.services.record import record
from apps.catalog.api.serializers import FeatureSerializer, PriceBookSerializer, ProductSerializer
from apps.catalog.models import Feature, PriceBook, Product
from apps.catalog.services.price_books import refuse_other_currency
from apps.core.api.idempotency import idempotent


class ReferenceList(ListAPIView[Any]):
    """List, the newest first, and create."""

    read_scope = Scope.CATALOG_READ
    write_scope = Scope.CATALOG_WRITE
    model: type[Model]

    def get_queryset(self) -> QuerySet[Any]:
        return self.model._default_manager.all()

    @idempotent
    def create(self, request: Request) -> Response:
        given = self.get_serializer(data=request.data)
        given.is_valid(raise_exception=True)
        target = given.save()
        record(action=f"{target._meta.model_name}.created", target=target)
        return Response(self.get_serializer(target).data, status=201)


class ReferenceDetail(UpdateModelMixin, RetrieveAPIView[Any]):
    """Read one by its code, and change what is given."""

    read_scope = Scope.CATALOG_READ
    write_scope = Scope.CATALOG_WRITE
    lookup_field = "code"

    def patch(self, request: Request, code: str) -> Response:
        """Change what is given."""
        return self.partial_update(request, code=code)

    def perform_update(self, serializer: Any) -> None:
        target = serializer.save()
        record(
            action=f"{target._meta.model_name}.changed", target=target, changes=dict(serializer.initial_data)
        )


class ProductList(ReferenceList):
    serializer_class = ProductSerializer
    model = Product

    @extend_schema(request=ProductSerializer, responses={201: ProductSerializer})
    def post(self, request: Request) -> Response:
        """Create a product."""
        return self.create(request)


class ProductDetail(ReferenceDetail):
    serializer_class = ProductSerializer
    queryset = Product.objects.all()


class FeatureList(ReferenceList):
    serializer_class = FeatureSerializer
    model = Feature

    @extend_schema(request=FeatureSerializer, responses={201: FeatureSerializer})
    def post(self, request: Request) -> Response:
        """Create a feature."""
        return self.create(request)


class FeatureDetail(ReferenceDetail):
    serializer_class = FeatureSerializer
    queryset = Feature.objects.select_related("meter")


class PriceBookList(ReferenceList):
    serializer_class = PriceBookSerializer
    model = PriceBook

    @extend_schema(request=PriceBookSerializer, responses={201: PriceBookSerializer})
    def post(self, request: Request) -> Response:
        """Create a price book."""
        return self.create(request)


class PriceBookDetail(ReferenceDetail):
    serializer_class = PriceBookSerializer
    queryset = PriceBook.objects.all()

    def perform_update(self, serializer: Any) -> None:
        currency = serializer.validated_data.get("currency", serializer.instance.currency)
        refuse_other_currency(book=serializer.instance, currency=currency)
        super().perform_update(serializer)
