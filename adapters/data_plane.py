"""
Questions to the data plane of a kind of target, signed with a key.

It rests on assumptions 122, 123 and 124 of docs/fidelity.md.
"""

import asyncio
import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from azure.core.exceptions import AzureError
from azure.core.rest import HttpRequest
from msgspec import Struct

from adapters.answers import meaning_of
from adapters.error_bodies import code_in
from adapters.service_messages import one_line
from rotation.vocabulary.errors import DependencyError
from rotation.vocabulary.limits import LONGEST_ERROR_CODE, PROBED_WITHIN
from rotation.vocabulary.timing import Deadline

# No user info and no backslash: what parses a URL and what sends it must agree on its host.
_ADDRESS = r"https://([a-z0-9](?:[-a-z0-9.]*[a-z0-9])?)(?::[0-9]{1,5})?/"


class Reply(Struct, frozen=True):
    """
    The status of an answer, and the code of the error in it.
    """

    status: int
    code: str | None

    def __str__(self) -> str:
        return str(self.status) if self.code in {None, str(self.status)} else f"{self.status} {self.code}"


class DataPlane:
    """
    The hosts that may be asked with a key of some kind: those under its suffixes, over TLS alone.

    A person who may change an account could name any host in it, and be sent what is signed with its key.
    """

    def __init__(self, transport: Any, suffixes: Collection[str]) -> None:
        self._transport = transport
        self._suffixes = suffixes

    def obstacle(self, url: str) -> str | None:
        """
        Return why a URL must not be asked, None where it may be.
        """
        found = re.match(_ADDRESS, url, re.IGNORECASE | re.ASCII)
        if found is None:
            return "its data plane is at no address of a host with TLS, and is not asked"
        host = found[1].lower()
        # A name without a full stop is one host: the suffix `com` would allow nearly all.
        if any(host == suffix or ("." in suffix and host.endswith(f".{suffix}")) for suffix in self._suffixes):
            return None
        allowed = ", ".join(self._suffixes) or "none"
        return f"{host} is not a host of the cloud ({allowed}); ROTATION_DATA_PLANE_SUFFIXES may name its suffix"

    async def get(self, url: str, headers: Mapping[str, str], deadline: Deadline) -> Reply:
        """
        Ask once, and follow no redirect: the answer of another host says nothing of the key.

        Raises `OutOfTime`, and a `DependencyError` where no answer comes.
        """
        what = f"asking {urlsplit(url).hostname}"
        meaning: DependencyError
        try:
            async with asyncio.timeout(PROBED_WITHIN):
                # Compressed, it would have to be unpacked here.
                request = HttpRequest("GET", url, headers={**headers, "Accept-Encoding": "identity"})
                answer = await self._transport.send(request, deadline=deadline)
                return Reply(answer.status_code, _code(answer.headers, answer.content))
        except AzureError as error:
            meaning = meaning_of(error, what)
        except TimeoutError:
            meaning = DependencyError(f"{what}: no answer within {PROBED_WITHIN} seconds")
        # Raised out here, so that the original does not travel along as its context: it holds the request.
        raise meaning


def _code(headers: Mapping[str, str], body: bytes) -> str | None:
    # Of Storage's own, which answers in XML.
    code = headers.get("x-ms-error-code") or code_in(body.decode(errors="replace"))
    return one_line(code, LONGEST_ERROR_CODE) if code else None
