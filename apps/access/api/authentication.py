"""`Authorization: Bearer <key>`: the key names its tenant, and from here on the request is that tenant's."""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from apps.access.models import ApiKey
from apps.access.services.api_keys import find_api_key, slug_of
from apps.core import request_context, schema
from apps.tenants.selectors import tenant_by_slug

BAD_KEY = "This API key is not valid here: it is unknown, revoked, or belongs to another host."


class ApiKeyAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[AnonymousUser, ApiKey] | None:
        scheme, _, key = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not key:
            return None
        slug = slug_of(key.strip())
        if slug is None:
            raise AuthenticationFailed(BAD_KEY, code="invalid_api_key")
        if schema.is_public():
            tenant = tenant_by_slug(slug)
            if tenant is None:
                raise AuthenticationFailed(BAD_KEY, code="invalid_api_key")
            schema.enter_tenant(tenant)
        elif schema.current_tenant().slug != slug:
            # A key at another tenant's host: as unknown as a made-up one.
            raise AuthenticationFailed(BAD_KEY, code="invalid_api_key")
        api_key = find_api_key(key=key.strip())
        if api_key is None:
            schema.enter_public()
            raise AuthenticationFailed(BAD_KEY, code="invalid_api_key")
        request_context.set_actor(kind="api_key", actor=api_key.prefix)
        return AnonymousUser(), api_key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="countinghouse"'


class BearerScheme(OpenApiAuthenticationExtension):
    target_class = ApiKeyAuthentication
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "An API key; it names its tenant."}
