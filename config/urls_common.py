"""What platform and tenants both serve: the API and its description."""

from django.urls import include, path
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerView

urlpatterns = [
    path("api/v1/", include("config.urls_api")),
    path("api/v1/openapi.json", SpectacularJSONAPIView.as_view(urlconf="config.urls_schema"), name="openapi"),
    path("api/docs/", SpectacularSwaggerView.as_view(url_name="openapi"), name="api-docs"),
]
handler404 = "apps.core.api.problems.json_404"
handler500 = "apps.core.api.problems.json_500"
