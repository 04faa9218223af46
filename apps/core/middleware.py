"""A name for each request, the same in the answer, in problem documents, in the audit and in the logs."""

import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from apps.core import request_context
from apps.core.models import random_id

ACCEPTED = re.compile(r"[A-Za-z0-9_.-]{8,64}")


class RequestIdMiddleware:
    """Take the caller's X-Request-Id when it is a plain token, else make one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-Id", "")
        request_id = given if ACCEPTED.fullmatch(given) else random_id("req")
        with request_context.entered(request_id=request_id):
            response = self.get_response(request)
        response["X-Request-Id"] = request_id
        return response
