"""
App Service's own authentication before the host: it lets callers in, and tells the app who they are.

It is on where the settings say so, as they show it to Azure Resource Manager too. Where it is off nothing is taken from
a request: then a caller may write any header, as in Azure.

It rests on assumptions 95, 96, 97, 136 and 137 of docs/fidelity.md.
"""

import base64
import json
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Self

import msgspec
from aiohttp import web
from multidict import CIMultiDict

from localcloud.azure.entra_token import read
from localcloud.functions_host.sign_in_pages import COOKIE, SESSION, SignInPages

SETTINGS, KEY = "LOCAL_SIGN_IN", "LOCAL_SIGN_IN_KEY"
"""What is configured, as JSON of `authsettingsV2`, and the key by which tokens are known."""

_OWN_HEADERS = ("x-ms-client-principal", "x-ms-token-aad")
_CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims"
_LONG_NAMES = {
    "oid": "http://schemas.microsoft.com/identity/claims/objectidentifier",
    "tid": "http://schemas.microsoft.com/identity/claims/tenantid",
}
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Registration(msgspec.Struct, rename="camel"):
    client_id: str
    open_id_issuer: str


class _Policy(msgspec.Struct, rename="camel"):
    allowed_applications: list[str] = []


class _Validation(msgspec.Struct, rename="camel"):
    allowed_audiences: list[str]
    default_authorization_policy: _Policy


class _Entra(msgspec.Struct, rename="camel"):
    registration: _Registration
    validation: _Validation


class _Providers(msgspec.Struct, rename="camel"):
    azure_active_directory: _Entra


class _Global(msgspec.Struct, rename="camel"):
    require_authentication: bool
    unauthenticated_client_action: str
    excluded_paths: list[str] = []


class _Settings(msgspec.Struct, rename="camel"):
    global_validation: _Global
    identity_providers: _Providers


class SignIn:
    """
    The authentication of one site.
    """

    def __init__(self, settings: _Settings, key: str) -> None:
        validation = settings.global_validation
        self._excluded = validation.excluded_paths
        self._is_required = (
            validation.require_authentication and validation.unauthenticated_client_action != "AllowAnonymous"
        )
        self._entra = settings.identity_providers.azure_active_directory
        self._key = key
        self._pages = SignInPages(key)

    @classmethod
    def from_environment(cls) -> Self | None:
        """
        Return it as the settings say, None where it is off.
        """
        written = os.environ.get(SETTINGS)
        return cls(msgspec.json.decode(written, type=_Settings), os.environ[KEY]) if written else None

    @property
    def middlewares(self) -> Sequence[Any]:
        """
        What stands before everything that the host serves.
        """

        @web.middleware
        async def stand_before(request: web.Request, handler: _Handler) -> web.StreamResponse:
            return await self._handle(request, handler)

        return [stand_before]

    async def _handle(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        bare = _without_own(request.headers)
        if page := self._pages.find(request):
            return await page(request)
        # Byte by byte: what is only similar is not excluded.
        if request.rel_url.raw_path in self._excluded:
            return await handler(request.clone(headers=bare))
        claims = self._claims_of(request)
        if claims is None:
            return self._challenge(request) if self._is_required else await handler(request.clone(headers=bare))
        if not self._may_call(claims):
            return web.Response(status=403, text="You do not have permission to view this directory or page.")
        return await handler(request.clone(headers=CIMultiDict([*bare.items(), *_headers_of(claims)])))

    def _claims_of(self, request: web.Request) -> Mapping[str, Any] | None:
        """
        Return what is known of who calls, by a token or else by the session of a browser; None of a stranger.
        """
        if "Authorization" in request.headers:
            scheme, _, token = request.headers["Authorization"].partition(" ")
            claims = read(token, self._key) if scheme.lower() == "bearer" else None
            return claims if claims and self._is_for_this_site(claims) else None
        session = read(request.cookies.get(COOKIE, ""), self._key)
        return session if session and session.get("aud") == SESSION else None

    def _is_for_this_site(self, claims: Mapping[str, Any]) -> bool:
        validation, registration = self._entra.validation, self._entra.registration
        return claims.get("aud") in validation.allowed_audiences and claims.get("iss") == registration.open_id_issuer

    def _may_call(self, claims: Mapping[str, Any]) -> bool:
        """
        Return whether the application that somebody signed in with is allowed. Without a list every one is.
        """
        allowed = self._entra.validation.default_authorization_policy.allowed_applications
        # Who signs in with a browser does so with the app registration itself.
        return not allowed or claims.get("azp", self._entra.registration.client_id) in allowed

    def _challenge(self, request: web.Request) -> web.Response:
        challenge = f'Bearer realm="{request.host}" resource_id="{self._entra.registration.client_id}"'
        return web.Response(status=401, headers={"WWW-Authenticate": challenge})


def _without_own(headers: Mapping[str, str]) -> CIMultiDict[str]:
    """
    Return the headers of a request without those that only App Service writes, in whatever case and however often.
    """
    return CIMultiDict([(name, value) for name, value in headers.items() if not name.lower().startswith(_OWN_HEADERS)])


def _headers_of(claims: Mapping[str, Any]) -> list[tuple[str, str]]:
    """
    Return the headers that say who calls.
    """
    pairs = [
        {"typ": _LONG_NAMES.get(kind, kind), "val": str(each)}
        for kind, value in claims.items()
        for each in (value if isinstance(value, list) else [value])
    ]
    principal = {
        "auth_typ": "aad",
        "claims": pairs,
        "name_typ": f"{_CLAIMS}/emailaddress",
        "role_typ": "http://schemas.microsoft.com/ws/2008/06/identity/claims/role",
    }
    named = [("X-MS-CLIENT-PRINCIPAL-NAME", claims["preferred_username"])] if "preferred_username" in claims else []
    return [
        ("X-MS-CLIENT-PRINCIPAL", base64.b64encode(json.dumps(principal).encode()).decode()),
        ("X-MS-CLIENT-PRINCIPAL-ID", claims["oid"]),
        ("X-MS-CLIENT-PRINCIPAL-IDP", "aad"),
        *named,
    ]
