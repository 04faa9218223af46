"""Whose back office this is, and whether it is live: shown on every page, sign-in included."""

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static

from apps.core import clock, schema
from apps.core.admin.display import instant_text

PRODUCT = "Countinghouse"


def header(request: HttpRequest) -> str:
    return PRODUCT if schema.is_public() else str(schema.current_tenant().name)


def title(request: HttpRequest) -> str:
    return f"{PRODUCT} platform" if schema.is_public() else f"{schema.current_tenant().name} · {PRODUCT}"


def subheader(request: HttpRequest) -> str:
    return "Platform" if schema.is_public() else PRODUCT


def environment(request: HttpRequest) -> list[str]:
    """The badge in the page's head: its text and its colour. A sandbox tells where its clock stands."""
    if schema.is_public():
        return ["Platform", "info"]
    if schema.current_tenant().is_sandbox:
        return [f"Sandbox · {instant_text(clock.now())}", "warning"]
    return ["Live", "success"]


def title_prefix(request: HttpRequest) -> str:
    """In the browser's tab: nobody should mistake a sandbox for the real thing."""
    return "" if schema.is_public() or not schema.current_tenant().is_sandbox else "[Sandbox]"


def icon(request: HttpRequest) -> str:
    return static("countinghouse/icon.svg")


def stylesheet(request: HttpRequest) -> str:
    return static("countinghouse/admin.css")


def script(request: HttpRequest) -> str:
    return static("countinghouse/admin.js")


def favicon(*args: Any) -> str:
    return static("countinghouse/icon.svg")
