"""The part of the URLs that the OpenAPI document describes."""

from django.urls import include, path

urlpatterns = [path("api/v1/", include("config.urls_api"))]
