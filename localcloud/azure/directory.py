"""
The app registration that callers of the app sign in to, and who has which of its app roles.

It rests on assumptions 96 and 138 of docs/fidelity.md.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.azure.dialect import TENANT_ID
from localcloud.azure.entra_token import sign
from localcloud.azure.principal import OPERATOR, Principal

REGISTRATION = "99999999-9999-4999-8999-999999999999"
"""The client id of the app registration."""

AUDIENCES = (REGISTRATION, f"api://{REGISTRATION}")
ISSUER = f"https://login.microsoftonline.com/{TENANT_ID}/v2.0"
READ, OPERATE = "Rotations.Read", "Rotations.Operate"

_TOKEN_SECONDS = 3600


@dataclass(frozen=True)
class Member:
    """
    Somebody in the directory, with the app roles that were assigned to them. A machine has no name.
    """

    principal: Principal
    name: str | None = None
    roles: tuple[str, ...] = ()

    @property
    def claims(self) -> dict[str, Any]:
        """
        What a token says of them.
        """
        named = {"name": self.name.partition("@")[0], "preferred_username": self.name} if self.name else {}
        return {"oid": self.principal.principal_id, "tid": TENANT_ID, "roles": list(self.roles)} | named


def _person(letter: str, name: str, *roles: str) -> Member:
    same = f"{letter * 8}-{letter * 4}-4{letter * 3}-8{letter * 3}-{letter * 12}"
    return Member(Principal(same, OPERATOR.client_id, "User"), name, roles)


ADA = Member(OPERATOR, "ada@rotator.example", (OPERATE,))
"""The operator."""
GRACE = _person("1", "grace@rotator.example", READ)
JOAN = _person("2", "joan@rotator.example")
PEOPLE = (ADA, GRACE, JOAN)

MACHINE = Member(
    Principal("33333333-3333-4333-8333-333333333333", "44444444-4444-4444-8444-444444444444"), roles=(OPERATE,)
)
"""A managed identity whose application may call."""

ALLOWED_APPLICATIONS = (REGISTRATION, OPERATOR.client_id, MACHINE.principal.client_id)


def token_for(member: Member, key: str, **claims: Any) -> str:
    """
    Return a token of the app registration, with some of its claims exchanged.
    """
    now = int(time.time())
    usual: Mapping[str, Any] = {
        "aud": REGISTRATION,
        "iss": ISSUER,
        "iat": now,
        "nbf": now,
        "exp": now + _TOKEN_SECONDS,
        "azp": member.principal.client_id,
        "ver": "2.0",
    }
    return sign({**usual, **member.claims, **claims}, key)


def member_of(principal: Principal) -> Member:
    """
    Return what the directory knows of a principal: of most, nothing but that there is one.
    """
    known = (*PEOPLE, MACHINE)
    return next((member for member in known if member.principal == principal), Member(principal))
