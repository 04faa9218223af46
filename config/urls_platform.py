"""localhost: the platform operator's back office, and the API for every tenant's keys."""

from django.urls import path
from django.views.generic import RedirectView

from apps.core.admin_sites import platform_site
from config.urls_common import handler404, handler500
from config.urls_common import urlpatterns as common

__all__ = ["handler404", "handler500", "urlpatterns"]

urlpatterns = [
    *common,
    path("", RedirectView.as_view(url="/admin/")),
    path("admin/", platform_site.urls),
]
