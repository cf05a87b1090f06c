"""
The App Service managed identity endpoint, and the check of the tokens it issued.

Protocol: "How to use managed identities for App Service and Azure Functions", REST endpoint reference, 2019-08-01.

It rests on assumptions 12, 93 and 94 of docs/fidelity.md.
"""

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from aiohttp import web

from localcloud.azure.dialect import american
from localcloud.azure.json_answer import json_answer
from localcloud.azure.operation import Call, Operation
from localcloud.azure.refusal import Refusal
from localcloud.azure.wordings import ARM_CHALLENGE

ARM = "https://management.azure.com"
KEY_VAULT = "https://vault.azure.net"
EVENT_GRID = "https://eventgrid.azure.net"
STORAGE = "https://storage.azure.com"
AUDIENCES = frozenset({ARM, KEY_VAULT, EVENT_GRID, STORAGE})

TOKEN_PATH = "/msi/token"
API_VERSION = "2019-08-01"
PARAMETERS = frozenset({"resource", "api-version", "client_id"})


@dataclass(frozen=True)
class _Grant:
    audience: str
    expires_on: float


class Identity:
    """
    Issues opaque tokens, each for one audience, and knows them again.
    """

    def __init__(self, client_id: str | None = None) -> None:
        self.client_id = client_id
        """The user-assigned identity; None for a system-assigned one."""
        self.header = secrets.token_hex(32)
        """What `X-IDENTITY-HEADER` must carry."""
        self.lifetime = 24 * 3600
        """Seconds that a token lives."""
        self._grants: dict[str, _Grant] = {}

    def operations(self) -> list[Operation]:
        """
        Return the endpoint's only operation.
        """
        return [Operation("Identity.Token", "GET", TOKEN_PATH, self._token, api_versions=frozenset({API_VERSION}))]

    def admit(self, call: Call) -> None:
        """
        Only who knows the header, which protects the endpoint from request forgery, gets a token.
        """
        if not hmac.compare_digest(call.request.headers.get("X-IDENTITY-HEADER", "").encode(), self.header.encode()):
            raise Refusal(401, "Unauthorized", "The X-IDENTITY-HEADER header is missing or wrong.")
        if call.query("api-version") not in call.operation.api_versions:
            raise Refusal(400, "BadRequest", f"The api-version must be {API_VERSION}.")

    def expire_all(self) -> None:
        """
        Let every token issued so far be refused from now on.
        """
        self._grants = {token: replace(grant, expires_on=0.0) for token, grant in self._grants.items()}

    def issue(self, audience: str) -> str:
        """
        Return a new token for an audience. One with a slash at its end is another one to Key Vault alone.
        """
        token = secrets.token_urlsafe(48)
        self._grants[token] = _Grant(audience, time.time() + self.lifetime)
        return token

    def require(self, audience: str) -> Callable[[Call], None]:
        """
        Return a check that a call carries a live token for `audience`; it raises ARM's refusals.
        """

        def check(call: Call) -> None:
            problem = self.problem(call, audience)
            if problem is not None:
                raise Refusal(401, problem[0], problem[1], headers={"WWW-Authenticate": ARM_CHALLENGE})

        return check

    def problem(self, call: Call, audience: str) -> tuple[str, str] | None:
        """
        Return what is wrong with a call's token, as ARM's error code and message; None if nothing is.
        """
        scheme, _, token = call.request.headers.get("Authorization", "").partition(" ")
        if not scheme:
            return "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing."
        grant = self._grants.get(token)
        if scheme.casefold() != "bearer" or grant is None:
            return "InvalidAuthenticationToken", "The access token is invalid."
        if grant.expires_on <= time.time():
            expiry, now = (american(datetime.fromtimestamp(at, UTC)) for at in (grant.expires_on, time.time()))
            message = f"The access token expiry UTC time '{expiry}' is earlier than current UTC time '{now}'."
            return "ExpiredAuthenticationToken", message
        if grant.audience.rstrip("/") != audience:
            return "InvalidAuthenticationTokenAudience", f"The access token has an audience other than '{audience}'."
        return None

    def audience(self, call: Call) -> str | None:
        """
        Return whom a call's token is for, as it was asked for; None for a token that is not ours.
        """
        grant = self._grants.get(call.request.headers.get("Authorization", "").partition(" ")[2])
        return grant.audience if grant else None

    async def _token(self, call: Call) -> web.Response:
        if unknown := set(call.request.query) - PARAMETERS:
            raise Refusal(400, "BadRequest", f"Unknown parameters: {sorted(unknown)}.")
        resource = call.query("resource")
        if resource is None or resource.rstrip("/") not in AUDIENCES:
            raise Refusal(
                400, "invalid_resource", f"The resource {resource!r} is missing or was not found in the tenant."
            )
        if call.query("client_id") not in (None, self.client_id):
            raise Refusal(
                400, "BadRequest", "No User Assigned or Delegated Managed Identity found for specified ClientId."
            )
        return json_answer(
            {
                "access_token": self.issue(resource),
                "expires_on": str(int(time.time() + self.lifetime)),
                "resource": resource,
                "token_type": "Bearer",
                "client_id": self.client_id or "00000000-0000-0000-0000-000000000000",
            }
        )


def explain(refusal: Refusal) -> object:
    """
    Return the endpoint's own error format.
    """
    return {"statusCode": refusal.status, "message": f"{refusal.code}: {refusal.message}"}
