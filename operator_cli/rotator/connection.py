"""
Where the app is and how to be let in, checked before anything is sent.
"""

import os
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from rotator.credentials import Credentials
from rotator.errors import Misuse

_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
# App Service itself gives up after 230 seconds.
_TIMEOUT = httpx.Timeout(240, connect=15)


@dataclass(frozen=True)
class Address:
    """
    The base of every call, `https://host/api`, and whether that is on this machine.
    """

    base: str
    is_local: bool


@dataclass(frozen=True)
class Connection:
    """
    Where the app is, and what lets the command in; and how Azure calls the app, where the person says so.
    """

    address: Address
    credentials: Credentials
    app: str | None = None
    resource_group: str | None = None


def address_of(url: str | None) -> Address:
    """
    Return the address that a URL names. The URL is never quoted in an error: what people copy may hold a key.

    Raises `Misuse`.
    """
    if not url or not url.strip():
        raise Misuse(
            "there is no URL", "set KEY_ROTATOR_URL, or --url, to the app's: https://my-rotator.azurewebsites.net"
        )
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in {"http", "https"}:
        raise Misuse("the URL cannot be read", "it must look like https://my-rotator.azurewebsites.net")
    if parts.query or parts.fragment or parts.username is not None:
        raise Misuse(
            "the URL holds more than the app's address",
            "give https://my-rotator.azurewebsites.net alone, and the key in KEY_ROTATOR_FUNCTION_KEY",
        )
    is_local = is_local_host(host)
    if parts.scheme == "http" and not is_local:
        raise Misuse(f"http://{host} would send the key in the clear", f"use https://{host}")
    address = f"[{host}]" if ":" in host else host
    path = parts.path.rstrip("/")
    path = path if path.endswith("/api") else f"{path}/api"
    return Address(f"{parts.scheme}://{address}{f':{port}' if port else ''}{path}", is_local)


def is_local_host(host: str) -> bool:
    """
    Return whether a host is this machine.
    """
    return host in _LOCAL_HOSTS


def client_for(connection: Connection) -> httpx.AsyncClient:
    """
    Return the client, which trusts what `SSL_CERT_FILE` names.

    Raises `Misuse` where the environment's certificates or proxies cannot be used.
    """
    # A proxy has no way to a local app, and would be shown the key of one that speaks http.
    mounts = {f"all://{httpx.URL(connection.address.base).host}": None} if connection.address.is_local else None
    try:
        return httpx.AsyncClient(timeout=_TIMEOUT, mounts=mounts)
    except (OSError, ssl.SSLError) as error:
        named = os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR")
        raise Misuse(
            f"SSL_CERT_FILE names {named}, which cannot be read ({type(error).__name__})",
            "let it name a file of trusted certificates in PEM format, or unset it",
        ) from None
    except (ValueError, ImportError, httpx.InvalidURL):
        # Without the proxy's URL, which may hold a password.
        raise Misuse(
            "the proxy that the environment names cannot be used",
            "let HTTPS_PROXY, HTTP_PROXY and ALL_PROXY be http:// or https:// URLs, or unset them",
        ) from None
