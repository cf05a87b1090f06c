"""
The Batch service itself: the data plane that an account's keys open.

One port serves all accounts; the account's name comes from the Authorization header.
Signature: "Authenticate requests to the Azure Batch service", authentication via Shared Key.

It rests on assumptions 24 and 27 of docs/fidelity.md.
"""

import base64
import hashlib
import hmac
import uuid
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from localcloud.azure.arm import LOCATION
from localcloud.azure.dialect import Dialect, request_lines
from localcloud.azure.json_answer import json_answer
from localcloud.azure.operation import Call, Operation
from localcloud.azure.refusal import Refusal
from localcloud.kinds.batch.accounts import BatchAccount
from localcloud.kinds.batch.wordings import DATA_PLANE

REGION = f"/providers/Microsoft.Batch/locations/{LOCATION}"
API_VERSIONS = frozenset({"2024-02-01.19.0", "2024-07-01.20.0", "2025-06-01"})
# Errors name the host of their account; one port serves all accounts here.
METADATA = "https://demobatch.westeurope.batch.azure.com/$metadata"
OLDEST_REQUEST = timedelta(minutes=15)
# In this order.
SIGNED_HEADERS = (
    "Content-Encoding",
    "Content-Language",
    "Content-Length",
    "Content-MD5",
    "Content-Type",
    "Date",
    "If-Modified-Since",
    "If-Match",
    "If-None-Match",
    "If-Unmodified-Since",
    "Range",
)


class BatchService:
    """
    The part of the data plane that a client needs to prove that its key works.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.accounts: dict[str, BatchAccount] = {}
        """By name in lower case, which is unique in a region."""

    def operations(self) -> list[Operation]:
        """
        Cheap reads: no account here has a pool.
        """
        return [
            Operation("BatchService.ListPools", "GET", "/pools", _list_nothing, api_versions=API_VERSIONS),
            Operation("BatchService.ListImages", "GET", "/supportedimages", _list_nothing, api_versions=API_VERSIONS),
        ]

    def admit(self, call: Call) -> None:
        """
        Admit who signed with a key that works at this instant.
        """
        scheme, _, credential = call.request.headers.get("Authorization", "").partition(" ")
        if not scheme:
            raise Refusal(401, "Unauthorized", "The Authorization header is missing.")
        if scheme != "SharedKey":
            raise _not_authenticated(f"The authentication scheme {scheme!r} is not supported here.")
        name, _, signature = credential.partition(":")
        account = self.accounts.get(name.casefold())
        if account is None:
            raise _not_authenticated("The account does not exist.")
        call.entry.target = account.arm_id
        if not account.allows_shared_key:
            raise _not_authenticated("The specified type of authentication SharedKey is not allowed for this account.")
        _require_recent(call.request)
        text = string_to_sign(call.request, name)
        if not any(hmac.compare_digest(signature, sign(key, text)) for key in account.keys.accepted()):
            raise _not_authenticated("The MAC signature found in the HTTP request is not the same as any computed one.")
        _require_api_version(call)


def string_to_sign(request: web.BaseRequest, account: str) -> str:
    """
    Return the canonical form of a request.
    """
    headers = request.headers
    # Libraries set Date behind the caller's back: where ocp-date is used, Date counts as empty.
    ignored = {"Date"} if "ocp-date" in headers else set()
    signed = ["" if name in ignored else headers.get(name, "") for name in SIGNED_HEADERS]
    ocp = sorted((name.lower(), value) for name, value in headers.items() if name.lower().startswith("ocp-"))
    query = sorted((name.lower(), value) for name, value in request.query.items() if value)
    return "\n".join(
        [
            request.method,
            *signed,
            *(f"{name}:{value}" for name, value in ocp),
            f"/{account}{urlsplit(request.raw_path).path}",
            *(f"{name}:{value}" for name, value in query),
        ]
    )


def sign(key: str, text: str) -> str:
    """
    Return the signature that a key gives a text.
    """
    return base64.b64encode(hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()).decode()


def explain(refusal: Refusal) -> object:
    """
    Return the Batch service's own error format, which is not below `error`.
    """
    said = refusal.message if "\nRequestId:" in refusal.message else refusal.message + request_lines()
    error: dict[str, object] = {
        "odata.metadata": f"{METADATA}#Microsoft.Azure.Batch.Protocol.Entities.Container.errors/@Element",
        "code": refusal.code,
        "message": {"lang": "en-US", "value": said},
    }
    if refusal.inner_code:
        error["values"] = [{"key": "AuthenticationErrorDetail", "value": refusal.inner_code}]
    return error


def _headers(request: web.BaseRequest, _: int) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json; odata=minimalmetadata",
        "DataServiceVersion": "3.0",
        "request-id": str(uuid.uuid4()),
        "Server": "Microsoft-HTTPAPI/2.0",
    }
    asked = request.headers.get("client-request-id")
    if asked and request.headers.get("return-client-request-id", "").casefold() == "true":
        headers["client-request-id"] = asked
    return headers


DIALECT = Dialect(explain, _headers, lambda _: DATA_PLANE)


def _not_authenticated(detail: str) -> Refusal:
    message = (
        "Server failed to authenticate the request. "
        "Make sure the value of Authorization header is formed correctly including the signature."
    )
    return Refusal(403, "AuthenticationFailed", message, inner_code=detail)


def _require_recent(request: web.BaseRequest) -> None:
    stamp = request.headers.get("ocp-date") or request.headers.get("Date") or ""
    try:
        made = parsedate_to_datetime(stamp)
    except ValueError as error:
        raise _not_authenticated("The date of the request is missing or malformed.") from error
    if made.tzinfo is None or abs(datetime.now(UTC) - made) > OLDEST_REQUEST:
        raise _not_authenticated("The date of the request is more than 15 minutes away.")


def _require_api_version(call: Call) -> None:
    version = call.query("api-version")
    if version is None:
        raise Refusal(400, "MissingRequiredQueryParameter", "The query parameter api-version is required.")
    if version not in call.operation.api_versions:
        raise Refusal(400, "InvalidQueryParameterValue", f"The api-version {version!r} is not supported.")


async def _list_nothing(call: Call) -> web.Response:
    empty: dict[str, Any] = {
        "odata.metadata": f"https://{call.request.host}/$metadata#{call.operation.path.removeprefix('/')}",
        "value": [],
    }
    return json_answer(empty)
