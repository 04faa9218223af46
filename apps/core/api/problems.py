"""Errors as problem documents (RFC 9457), with `code`, `param` and `request_id` of our own."""

import math
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.defaults import page_not_found, server_error
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from apps.core import request_context
from apps.core.errors import Refused
from apps.rating import RatingError

CONTENT_TYPE = "application/problem+json"


def document(
    *, status: int, code: str, detail: str, param: str = "", errors: list[dict[str, str]] | None = None
) -> dict[str, Any]:
    """Build the body. `errors` lists every wrong field when there are several; `param` then names the first."""
    body: dict[str, Any] = {
        "type": f"urn:countinghouse:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "code": code,
        "detail": detail,
        "request_id": request_context.current().request_id,
    }
    if param:
        body["param"] = param
    if errors:
        body["errors"] = errors
    return body


def problem_response(*, status: int, code: str, detail: str, param: str = "") -> HttpResponse:
    """For places outside DRF: middleware and the handlers of 404 and 500."""
    return JsonResponse(
        document(status=status, code=code, detail=detail, param=param),
        status=status,
        content_type=CONTENT_TYPE,
    )


def pointers(detail: Any, at: str = "") -> list[dict[str, str]]:
    """Flatten a serializer's errors into `{param, code, message}` with JSON pointers."""
    if isinstance(detail, dict):
        return [
            found
            for name, inner in detail.items()
            for found in pointers(inner, at if name == "non_field_errors" else f"{at}/{name}")
        ]
    if isinstance(detail, list):
        found: list[dict[str, str]] = []
        for index, inner in enumerate(detail):
            nested = isinstance(inner, dict | list)
            found += pointers(inner, f"{at}/{index}" if nested else at)
        return found
    return [{"param": at or "/", "code": getattr(detail, "code", "invalid"), "message": str(detail)}]


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's EXCEPTION_HANDLER. What is not known here becomes a 500 through `handler500`, without its text."""
    if isinstance(error, Refused):
        set_rollback()
        body = document(
            status=error.status, code=error.code, detail=error.message, param=error.param, errors=error.errors
        )
        return Response(body, status=error.status, headers=dict(error.headers), content_type=CONTENT_TYPE)
    if isinstance(error, RatingError):
        # Stored numbers that rating refuses: nothing that the caller sent, and nothing to try again.
        set_rollback()
        body = document(status=HTTPStatus.CONFLICT, code="unratable", detail=f"This can't be priced: {error}")
        return Response(body, status=HTTPStatus.CONFLICT, content_type=CONTENT_TYPE)
    if isinstance(error, Http404):
        error = exceptions.NotFound("There is no such object.")
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    if not isinstance(error, exceptions.APIException):
        return None
    set_rollback()
    headers = {}
    if auth_header := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = auth_header
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(math.ceil(wait))
    if isinstance(error, exceptions.ValidationError):
        errors = pointers(error.detail)
        first = errors[0]
        body = document(
            status=400,
            code="invalid",
            detail=f"{first['param']}: {first['message']}",
            param=first["param"],
            errors=errors,
        )
    else:
        codes = error.get_codes()
        code = codes if isinstance(codes, str) else "error"
        body = document(status=error.status_code, code=code, detail=str(error.detail))
    return Response(body, status=error.status_code, headers=headers, content_type=CONTENT_TYPE)


def is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


def json_404(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    if is_api(request):
        return problem_response(status=404, code="not_found", detail=f"There is nothing at {request.path}.")
    return page_not_found(request, exception or Http404())


def json_500(request: HttpRequest) -> HttpResponse:
    if is_api(request):
        return problem_response(
            status=500,
            code="internal_error",
            detail="Something broke here. Quote the request_id when you report it.",
        )
    return server_error(request)
