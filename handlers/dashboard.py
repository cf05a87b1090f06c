"""
The page for people: files that hold no data, and say which way of signing in the app wants.

It rests on assumption 68 of docs/fidelity.md.
"""

import hashlib
import os
from functools import cache
from http import HTTPStatus

import azure.functions as func
from msgspec import Struct

from rotation.vocabulary.errors import SettingsError
from rotation.vocabulary.quoting import quoted
from wiring import wired
from wiring.authentication import Authentication

blueprint = func.Blueprint()

# Without pathlib: each cold start would pay for its import.
FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "dashboard")  # noqa: PTH100, PTH118, PTH120
INDEX = "index.html"
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

# Nothing from elsewhere, nothing inline, in nobody's frame; forms are sent by scripts alone.
_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}
_HEADERS = {
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in _POLICY.items()),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Asked for each time and mostly answered 304: a page and an API of different versions never meet.
    "Cache-Control": "no-cache",
}


class _File(Struct, frozen=True):
    body: bytes
    type: str
    etag: str


@blueprint.route(
    route="dashboard/{file?}", methods=["GET"], trigger_arg_name="request", auth_level=func.AuthLevel.ANONYMOUS
)
async def get_dashboard(request: func.HttpRequest) -> func.HttpResponse:
    """
    Return the page, or one of the files that it is made of.
    """
    name = request.route_params.get("file") or INDEX
    if name not in _names():
        body = f"there is no file {quoted(name)} of the page; the page is /api/dashboard\n"
        return func.HttpResponse(body, status_code=HTTPStatus.NOT_FOUND, mimetype="text/plain", headers=_HEADERS)
    file = _read(name, _authentication() if name == INDEX else "")
    headers = _HEADERS | {"ETag": file.etag}
    if file.etag in request.headers.get("If-None-Match", ""):
        return func.HttpResponse(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return func.HttpResponse(file.body, mimetype=file.type, charset="utf-8", headers=headers)


@cache
def _names() -> frozenset[str]:
    return frozenset(name for name in os.listdir(FOLDER) if _suffix_of(name) in _TYPES)  # noqa: PTH208


@cache
def _read(name: str, authentication: str) -> _File:
    """
    Return a file, the page itself with how people sign in.
    """
    with open(os.path.join(FOLDER, name), "rb") as file:  # noqa: PTH118, PTH123
        body = file.read().replace(b"{authentication}", authentication.encode())
    return _File(body, _TYPES[_suffix_of(name)], f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def _suffix_of(name: str) -> str:
    return os.path.splitext(name)[1]  # noqa: PTH122


def _authentication() -> Authentication:
    try:
        return wired().authentication
    except SettingsError:
        # The API says what is wrong, to those that it lets in.
        return Authentication.KEY
