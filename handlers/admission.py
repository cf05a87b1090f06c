"""
Who may call the HTTP API: design contract "HTTP".

With `ROTATION_AUTHENTICATION=key` the Functions host asks for a key before a call gets here, and no header counts.
With `entra` it asks for none, and App Service says who calls: what that principal may do is decided here
(docs/adr/0017-the-app-checks-the-principal.md).
"""

import re
from urllib.parse import urlsplit

import azure.functions as func

from handlers.principal import Principal, read_principal
from handlers.reading import is_set
from rotation.vocabulary.caller import Caller
from rotation.vocabulary.errors import Forbidden, SettingsError
from rotation.vocabulary.log_lines import report_change
from wiring import wired
from wiring.authentication import NAME, Authentication

READ, OPERATE = "Rotations.Read", "Rotations.Operate"

_MARK, _MARKED = "X-Rotator", "1"
_PATH = re.compile(r"[-\w./:%]{1,400}", re.ASCII)


def admit(request: func.HttpRequest) -> Caller | None:
    """
    Return who calls, None where function keys let callers in.

    Raises `Unauthorized` for a stranger, `Forbidden` where a role is missing or another site may have sent the call,
    and `SettingsError` where it cannot be known who calls.
    """
    if wired().authentication is Authentication.KEY:
        return None
    if wired().lacks_sign_in:
        raise SettingsError(NAME, "key as long as the authentication of App Service is off", "is entra")
    principal = read_principal(request)
    _require_role(principal, request)
    _require_no_other_site(request)
    return principal.caller


def caller_of(request: func.HttpRequest) -> Caller | None:
    """
    Return the same of a call that was admitted.
    """
    return None if wired().authentication is Authentication.KEY else read_principal(request).caller


def is_change(request: func.HttpRequest) -> bool:
    """
    Return whether a call may change something.
    """
    return str(request.method).upper() != "GET"


def log_change(request: func.HttpRequest, caller: Caller | None, status: int) -> None:
    """
    Log who has asked for a change: the only trace where the change leaves no record.
    """
    if caller and is_change(request):
        report_change(request.method, _path_of(request), status, caller)


def _require_role(principal: Principal, request: func.HttpRequest) -> None:
    needed = OPERATE if is_change(request) or _asks_for_work(request) else READ
    # Who may operate may read.
    if not principal.roles & {needed, OPERATE}:
        raise Forbidden(
            f"{principal.caller} has no app role {needed}, which this call needs; assign it in the enterprise "
            "application of the app registration, and sign in again"
        )


def _require_no_other_site(request: func.HttpRequest) -> None:
    """
    Raise `Forbidden` for a change that a page of another site may have sent with the cookie of who is signed in here.

    Neither header can be set by such a page: the browser asks the app first whether it may, and is not answered.
    """
    if _has_token(request) or request.headers.get(_MARK) == _MARKED:
        return
    # Looking through the vaults changes nothing, and costs: browsers say of an image on another site where it stands.
    if not is_change(request) and not (_asks_for_work(request) and _is_from_another_site(request)):
        return
    raise Forbidden(
        f"a call that changes something or starts work needs the header {_MARK}: {_MARKED}, or a Bearer token: no "
        "other site can send either"
    )


def _asks_for_work(request: func.HttpRequest) -> bool:
    return is_set(request.params, "refresh")


def _is_from_another_site(request: func.HttpRequest) -> bool:
    """
    Return whether a browser says so (Fetch Metadata): it does of every call since 2023, and other callers do not.
    """
    return request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}


def _has_token(request: func.HttpRequest) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and bool(token.strip())


def _path_of(request: func.HttpRequest) -> str:
    """
    Return the path, unless there is something in it that no path of this API has.
    """
    path = urlsplit(request.url).path
    return path if _PATH.fullmatch(path) else "a path that is not shown"
