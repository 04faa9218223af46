"""Name the signed-in staff user as the actor of the request."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from apps.core import request_context
from apps.core.api.problems import is_api


class ActorMiddleware:
    """API requests name their key when it is recognised; the session is not even looked at for them."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not is_api(request) and request.user.is_authenticated:
            request_context.set_actor(kind="staff", actor=request.user.get_username())
        return self.get_response(request)
