"""
The App Service managed identity endpoint, and the check of the tokens it issued.

Protocol: "How to use managed identities for App Service and Azure Functions", REST endpoint reference, 2019-08-01.

It rests on assumptions 12, 93, 94 and 127 of docs/fidelity.md.
"""

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from aiohttp import web

from localcloud.azure.dialect import CLIENT_ID, OBJECT_ID, american
from localcloud.azure.directory import AUDIENCES as OF_THE_REGISTRATION
from localcloud.azure.directory import member_of, token_for
from localcloud.azure.json_answer import json_answer
from localcloud.azure.operation import Call, Operation
from localcloud.azure.principal import OPERATOR, Principal
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
    principal: Principal
    audience: str
    expires_on: float


class Identity:
    """
    Issues opaque tokens, each for one audience, and knows them again. Those for the app registration are not opaque.
    """

    def __init__(self, client_id: str | None = None) -> None:
        self.client_id = client_id
        """The user-assigned identity; None for a system-assigned one."""
        self.principal = Principal(OBJECT_ID, client_id or CLIENT_ID)
        self.header = secrets.token_hex(32)
        """What `X-IDENTITY-HEADER` must carry."""
        self.operator_header = secrets.token_hex(32)
        """What it carries where a person asks: the token is the operator's."""
        self.signing_key = secrets.token_hex(32)
        """By it the app's own sign-in knows the tokens for the app registration."""
        self.lifetime = 24 * 3600
        """Seconds that a token lives."""
        self._grants: dict[str, _Grant] = {}

    @property
    def principal_id(self) -> str:
        """
        The object id of the app's identity.
        """
        return self.principal.principal_id

    def operations(self) -> list[Operation]:
        """
        Return the endpoint's only operation.
        """
        return [Operation("Identity.Token", "GET", TOKEN_PATH, self._token, api_versions=frozenset({API_VERSION}))]

    def admit(self, call: Call) -> None:
        """
        Only who knows the header, which protects the endpoint from request forgery, gets a token.
        """
        self._principal_asking(call)
        if call.query("api-version") not in call.operation.api_versions:
            raise Refusal(400, "BadRequest", f"The api-version must be {API_VERSION}.")

    def expire_all(self) -> None:
        """
        Let every token issued so far be refused from now on.
        """
        self._grants = {token: replace(grant, expires_on=0.0) for token, grant in self._grants.items()}

    def issue(self, audience: str, principal: Principal | None = None) -> str:
        """
        Return a new token of a principal, the app's own if none is named, for an audience.

        An audience with a slash at its end is another one to Key Vault alone.
        """
        token = secrets.token_urlsafe(48)
        self._grants[token] = _Grant(principal or self.principal, audience, time.time() + self.lifetime)
        return token

    def caller(self, call: Call) -> Principal:
        """
        Return whose token a call carries. It must have been found to be one of ours.
        """
        return self._grants[_token_of(call)].principal

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
        grant = self._grants.get(_token_of(call))
        return grant.audience if grant else None

    async def _token(self, call: Call) -> web.Response:
        if unknown := set(call.request.query) - PARAMETERS:
            raise Refusal(400, "BadRequest", f"Unknown parameters: {sorted(unknown)}.")
        resource = call.query("resource")
        if resource is None or resource.rstrip("/") not in {*AUDIENCES, *OF_THE_REGISTRATION}:
            raise Refusal(
                400, "invalid_resource", f"The resource {resource!r} is missing or was not found in the tenant."
            )
        principal = self._principal_asking(call)
        assigned = self.client_id if principal == self.principal else None
        if call.query("client_id") not in (None, assigned):
            raise Refusal(
                400, "BadRequest", "No User Assigned or Delegated Managed Identity found for specified ClientId."
            )
        return json_answer(
            {
                "access_token": self._issued(resource, principal),
                "expires_on": str(int(time.time() + self.lifetime)),
                "resource": resource,
                "token_type": "Bearer",
                "client_id": assigned or "00000000-0000-0000-0000-000000000000",
            }
        )

    def _issued(self, resource: str, principal: Principal) -> str:
        if resource in OF_THE_REGISTRATION:
            return token_for(member_of(principal), self.signing_key, exp=int(time.time() + self.lifetime))
        return self.issue(resource, principal)

    def _principal_asking(self, call: Call) -> Principal:
        """
        Return whose header a request for a token carries. Raises `Refusal`.
        """
        header = call.request.headers.get("X-IDENTITY-HEADER", "").encode()
        for known, principal in ((self.header, self.principal), (self.operator_header, OPERATOR)):
            if hmac.compare_digest(header, known.encode()):
                return principal
        raise Refusal(401, "Unauthorized", "The X-IDENTITY-HEADER header is missing or wrong.")


def _token_of(call: Call) -> str:
    return call.request.headers.get("Authorization", "").partition(" ")[2]


def explain(refusal: Refusal) -> object:
    """
    Return the endpoint's own error format.
    """
    return {"statusCode": refusal.status, "message": f"{refusal.code}: {refusal.message}"}
