"""Which tenant a request is for: its host says. On the platform's host an API key says it later."""

from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import Http404, HttpRequest, HttpResponse
from django.http.request import split_domain_port

from apps.core import schema
from apps.core.api.problems import is_api, problem_response
from apps.tenants.selectors import tenant_by_host


class TenantByHostMiddleware:
    """Enter the schema for the request and leave it afterwards, whatever happens in between."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        schema.enter_public()
        try:
            host, _ = split_domain_port(request.get_host())
        except DisallowedHost:
            return problem_response(status=400, code="unknown_host", detail="This host is not served here.")
        try:
            if host in settings.PLATFORM_HOSTS:
                request.urlconf = settings.PUBLIC_SCHEMA_URLCONF
            elif tenant := tenant_by_host(host):
                schema.enter_tenant(tenant)
                request.urlconf = settings.ROOT_URLCONF
            elif is_api(request):
                return problem_response(
                    status=404, code="unknown_host", detail=f"No tenant answers at {host}."
                )
            else:
                raise Http404(f"No tenant answers at {host}.")
            request.tenant = schema.current_tenant()  # type: ignore[attr-defined]
            return self.get_response(request)
        finally:
            schema.enter_public()
