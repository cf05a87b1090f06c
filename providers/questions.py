"""
Harmless questions to data planes, and how each is signed with a key.

They are signed here and not by Microsoft's clients, whose import costs sixteen times as much and more:
docs/adr/0012-a-new-key-is-proven.md has the figures.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct

from adapters.data_plane import DataPlane, Reply
from rotation.ports.providers import KeyProbe, Verdict
from rotation.vocabulary.errors import DependencyError
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.timing import Deadline

# A plain GET has none of them.
_STANDARD_HEADERS = (
    *("Content-Encoding", "Content-Language", "Content-Length", "Content-MD5", "Content-Type", "Date"),
    *("If-Modified-Since", "If-Match", "If-None-Match", "If-Unmodified-Since", "Range"),
)


class Question(Protocol):
    """
    A read that changes nothing.
    """

    @property
    def url(self) -> str:
        """
        What is asked for.
        """
        ...

    def signed(self, key: KeyMaterial, now: datetime) -> dict[str, str]:
        """
        Return the headers that a key makes. Raises `ValueError` for one with which nothing can be signed.
        """
        ...

    def is_refusal(self, reply: Reply) -> bool:
        """
        Return whether a reply says that the key is not one of the account's.
        """
        ...


class SharedKeyQuestion(Struct, frozen=True):
    """
    A question signed with Shared Key, as Storage and Batch define it: the signature covers all but the host.

    `date_header` takes the time, and `headers` are those of the same prefix besides.

    Microsoft Learn: "Authorize with Shared Key (Azure Storage)"; "Authenticate requests to the Azure Batch service".
    """

    url: str
    account: str
    date_header: str
    headers: Mapping[str, str] = {}

    def signed(self, key: KeyMaterial, now: datetime) -> dict[str, str]:
        headers = {**self.headers, self.date_header: format_datetime(now, usegmt=True)}
        parts = urlsplit(self.url)
        text = "\n".join(
            [
                "GET",
                *("" for _ in _STANDARD_HEADERS),
                *(f"{name}:{value}" for name, value in sorted(headers.items())),
                f"/{self.account}{parts.path}",
                *(f"{name}:{value}" for name, value in sorted(parse_qsl(parts.query, keep_blank_values=True))),
            ]
        )
        secret = base64.b64decode(key.reveal(), validate=True)
        signature = base64.b64encode(hmac.new(secret, text.encode(), hashlib.sha256).digest()).decode()
        return {**headers, "Authorization": f"SharedKey {self.account}:{signature}"}

    def is_refusal(self, reply: Reply) -> bool:
        # Other codes of a 403 are about networks, permissions, or keys being switched off.
        return reply.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN} and reply.code == "AuthenticationFailed"


class ApiKeyQuestion(Struct, frozen=True):
    """
    A question with the key itself in a header, as Cognitive Services take it.
    """

    url: str

    def signed(self, key: KeyMaterial, now: datetime) -> dict[str, str]:  # noqa: ARG002 - the key is all
        return {"api-key": key.reveal()}

    def is_refusal(self, reply: Reply) -> bool:
        return reply.status == HTTPStatus.UNAUTHORIZED


class AccountProbe(KeyProbe):
    """
    The `KeyProbe` of one account.
    """

    def __init__(self, data_plane: DataPlane, question: Question) -> None:
        self._data_plane = data_plane
        self._question = question

    async def ask(self, key: KeyMaterial, deadline: Deadline) -> Verdict:
        question = self._question
        if obstacle := self._data_plane.obstacle(question.url):
            return Verdict(None, obstacle, may_change=False)
        try:
            headers = question.signed(key, datetime.now(UTC))
        except ValueError:
            return Verdict(None, "nothing can be signed with it: it is not base64", may_change=False)
        try:
            reply = await self._data_plane.get(question.url, headers, deadline)
        except DependencyError as error:
            return Verdict(None, str(error))
        except ValueError as error:
            # Without its text, which may quote what was sent.
            return Verdict(None, f"its address cannot be asked ({type(error).__name__})", may_change=False)
        if reply.status == HTTPStatus.OK:
            return Verdict(True, str(reply))
        return Verdict(False if question.is_refusal(reply) else None, f"{urlsplit(question.url).hostname}: {reply}")
