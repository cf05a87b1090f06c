"""
The principal that App Service puts on a call in `X-MS-CLIENT-PRINCIPAL`, read strictly.

It rests on assumptions 97 and 137 of docs/fidelity.md.
"""

import base64
import binascii
from collections.abc import Iterator

import azure.functions as func
import msgspec
from msgspec import Struct

from rotation.vocabulary.caller import Caller
from rotation.vocabulary.errors import Unauthorized
from rotation.vocabulary.limits import LONGEST_NAME

_HEADER = "X-MS-CLIENT-PRINCIPAL"
_OF_ENTRA = "aad"
_REMEDY = "sign in at /.auth/login/aad, or send a token of the app registration as Bearer"
_ROLES = "roles"
_CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims"
# What App Service names a claim depends on the version of the token: the first that is there counts.
_NAMES = ("preferred_username", f"{_CLAIMS}/upn", "upn", f"{_CLAIMS}/emailaddress", "email", f"{_CLAIMS}/name", "name")
_OBJECTS = ("http://schemas.microsoft.com/identity/claims/objectidentifier", "oid")
_APPLICATIONS = ("azp", "appid")


class _Claim(Struct, frozen=True):
    typ: str
    val: str


class _Shown(Struct, frozen=True):
    auth_typ: str
    claims: list[_Claim]
    role_typ: str | None = None


class Principal(Struct, frozen=True):
    """
    Who calls, and the app roles that were assigned to them.
    """

    caller: Caller
    roles: frozenset[str]


def read_principal(request: func.HttpRequest) -> Principal:
    """
    Return the principal of a call. Raises `Unauthorized` where there is none, several, or one that cannot be read.
    """
    written = request.headers.get(_HEADER, "")
    if not written:
        raise Unauthorized(f"nobody has signed in; {_REMEDY}")
    # The host joins several headers of one name with commas, which base64 does not have.
    if "," in written:
        raise Unauthorized(f"the call carries more than one principal; {_REMEDY}")
    try:
        shown = msgspec.json.decode(base64.b64decode(written, validate=True), type=_Shown)
    except (binascii.Error, ValueError, msgspec.MsgspecError, RecursionError):
        raise Unauthorized(f"the principal of the call cannot be read; {_REMEDY}") from None
    if shown.auth_typ != _OF_ENTRA:
        raise Unauthorized(f"the principal of the call is not one of Microsoft Entra; {_REMEDY}")
    caller = Caller(_first(shown, _NAMES), _first(shown, _OBJECTS), _first(shown, _APPLICATIONS))
    return Principal(caller, frozenset(_values(shown, {shown.role_typ or _ROLES, _ROLES})))


def _first(shown: _Shown, types: tuple[str, ...]) -> str | None:
    return next((text for kind in types for value in _values(shown, {kind}) if (text := _cleaned(value))), None)


def _values(shown: _Shown, types: set[str]) -> Iterator[str]:
    return (claim.val for claim in shown.claims if claim.typ in types)


def _cleaned(value: str) -> str:
    """
    Return what is fit for a log line: a line end in a name would begin a line of its own.
    """
    return "".join(character for character in value if character.isprintable()).strip()[:LONGEST_NAME]
