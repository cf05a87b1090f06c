"""
Tokens that say by themselves whom they are about, as those of Microsoft Entra for an app registration do.

They are JSON Web Tokens (RFC 7519), signed with a secret that both ends know: Azure's are signed with a key pair.
"""

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

_HEADER = {"alg": "HS256", "typ": "JWT"}


def sign(claims: Mapping[str, Any], key: str) -> str:
    """
    Return a token with these claims.
    """
    signed = f"{_encode(_HEADER)}.{_encode(claims)}"
    return f"{signed}.{_signature(signed, key)}"


def read(token: str, key: str) -> dict[str, Any] | None:
    """
    Return the claims of a token that is ours and has not expired, None for any other.
    """
    signed, _, signature = token.rpartition(".")
    if not hmac.compare_digest(signature.encode(), _signature(signed, key).encode()):
        return None
    try:
        claims: dict[str, Any] = json.loads(_decoded(signed.partition(".")[2]))
    except (binascii.Error, ValueError):
        return None
    return claims if claims.get("exp", 0) > time.time() else None


def _encode(part: Mapping[str, Any]) -> str:
    return _text(json.dumps(part).encode())


def _signature(signed: str, key: str) -> str:
    return _text(hmac.digest(key.encode(), signed.encode(), hashlib.sha256))


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
