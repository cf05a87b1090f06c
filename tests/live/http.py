"""
Plain requests, so that a probe sees what a service answers, and not what an SDK makes of it.
"""

import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from functools import cache
from typing import Any

from azure.core.credentials import AccessToken
from azure.identity import DefaultAzureCredential

ARM = "https://management.azure.com/.default"
KEY_VAULT = "https://vault.azure.net/.default"
EVENT_GRID = "https://eventgrid.azure.net/.default"

_RENEWED_BEFORE = 300  # seconds
_tokens: dict[str, AccessToken] = {}


@dataclass(frozen=True)
class Answer:
    """
    What came back.
    """

    status: int
    headers: dict[str, str]
    text: str

    @property
    def body(self) -> Any:
        """
        Return the body's JSON.
        """
        return json.loads(self.text)

    @property
    def code(self) -> str:
        """
        Return the code of an error in the shape of Azure Resource Manager and Key Vault; empty where it has another.
        """
        try:
            return str(self.body["error"]["code"])
        except (ValueError, KeyError, TypeError):
            return ""


@cache
def credential() -> DefaultAzureCredential:
    """
    Return the credential of this process: each one more would start the Azure CLI once more.
    """
    return DefaultAzureCredential()


def ask(
    method: str,
    url: str,
    scope: str | None,
    body: object = None,
    *,
    content_type: str = "application/json",
    token: str = "",
) -> Answer:
    """
    Send a request, with a token, or with one for a scope; whatever the status is, it is an answer.
    """
    headers = {"content-type": content_type}
    token = _token(scope) if scope else token
    if token:
        headers["authorization"] = f"Bearer {token}"
    return send(method, url, headers, None if body is None else json.dumps(body).encode())


def send(method: str, url: str, headers: dict[str, str], data: bytes | None = None) -> Answer:
    """
    Send a request as it is.
    """
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - addresses of Azure, or local ones
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
            return Answer(answer.status, _lower(answer.headers), answer.read().decode())
    except urllib.error.HTTPError as error:
        return Answer(error.code, _lower(error.headers), error.read().decode())


def _token(scope: str) -> str:
    if scope not in _tokens or _tokens[scope].expires_on < time.time() + _RENEWED_BEFORE:
        _tokens[scope] = credential().get_token(scope)
    return _tokens[scope].token


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
