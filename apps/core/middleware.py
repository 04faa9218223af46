"""What every request passes: it gets a name, and a URL that no database could look up is refused."""

import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from apps.core import request_context, schema
from apps.core.api.problems import problem_response
from apps.core.models import random_id
from apps.core.views import healthz

ACCEPTED = re.compile(r"[A-Za-z0-9_.-]{8,64}")


class HealthMiddleware:
    """Answer /healthz before anybody asks for the host: load balancers call by address."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path != "/healthz":
            return self.get_response(request)
        schema.enter_public()
        return healthz(request)


class RefuseNulMiddleware:
    """PostgreSQL's text has no NUL, so nothing can be found by one. Forms and JSON are checked field by field."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "\0" in request.path or "%00" in request.META.get("QUERY_STRING", ""):
            return problem_response(status=400, code="invalid_url", detail="A URL holds no NUL character.")
        return self.get_response(request)


class RequestIdMiddleware:
    """A name for the answer, problem documents, the audit and the logs: the caller's X-Request-Id when it is plain."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-Id", "")
        request_id = given if ACCEPTED.fullmatch(given) else random_id("req")
        with request_context.entered(request_id=request_id):
            response = self.get_response(request)
        response["X-Request-Id"] = request_id
        return response
