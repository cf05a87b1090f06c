"""
Calls with the keys that were replaced: the services must refuse them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp

from localcloud.azure.access_keys import KEY_NAMES
from localcloud.azure.certificates import CertificateAuthority
from localcloud.consumers import CallFailed
from localcloud.kinds.kind import Resource

_REFUSALS = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


@dataclass(frozen=True)
class DeadKeys:
    """
    How a service answered to the keys that its resource had before and has no more.
    """

    secret: str
    service: str
    answers: Sequence[CallFailed | None]
    """One for each dead key; None if the key was accepted."""

    @property
    def unrefused(self) -> int:
        """
        How many were accepted, or got an answer that is no refusal and proves nothing.
        """
        return sum(answer is None or answer.status not in _REFUSALS for answer in self.answers)

    def __str__(self) -> str:
        told = ", ".join(dict.fromkeys(map(_told, self.answers)))
        if self.unrefused:
            return f"{self.secret}: {self.unrefused} of {len(self.answers)} dead keys not refused: {told}"
        keys = "the dead key" if len(self.answers) == 1 else f"{len(self.answers)} dead keys"
        return f"{self.secret}: {self.service} refuses {keys}, {told}"


class FormerKeys:
    """
    What each resource gives for its keys when this is made, by the secret that opens the resource.
    """

    def __init__(self, resources: Mapping[str, Resource]) -> None:
        self._resources = resources
        self._values = {secret: [made.value(key) for key in KEY_NAMES] for secret, made in resources.items()}

    async def use_dead(self, ca: CertificateAuthority) -> list[DeadKeys]:
        """
        Make a call with each value that its resource gives no more. A resource that still gives all is left out.
        """
        tried = []
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=ca.client_context)) as session:
            for secret, made in self._resources.items():
                live = {made.value(key) for key in KEY_NAMES}
                dead = [value for value in self._values[secret] if value not in live]
                if dead:
                    answers = [await _use(made, value, session) for value in dead]
                    tried.append(DeadKeys(secret, made.consumer().service, answers))
        return tried


async def _use(made: Resource, value: str, session: aiohttp.ClientSession) -> CallFailed | None:
    consumer = made.consumer()
    try:
        await consumer.use("dead", value, session)
    except CallFailed as failure:
        return failure
    finally:
        await consumer.forget("dead")
    return None


def _told(answer: CallFailed | None) -> str:
    if answer is None:
        return "accepted"
    # Some services have no other code than the status.
    code = "" if answer.code == str(answer.status) else f" {answer.code}"
    return f"{answer.status or 'no answer'}{code}"
