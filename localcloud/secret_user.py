"""
A client that needs the value of a secret: it reads the secret all the time, and makes calls with what it has read.
"""

import asyncio
import time
from abc import abstractmethod
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime

import aiohttp
from azure.core.credentials import AccessToken
from azure.core.exceptions import AzureError
from azure.core.pipeline.transport import AioHttpTransport
from azure.keyvault.secrets.aio import SecretClient

from localcloud.azure.cloud import LocalAzure
from localcloud.azure.identity import KEY_VAULT, Identity
from localcloud.azure.principal import SECRET_USERS
from localcloud.azure.vault import Vault
from localcloud.consumers import CallFailed, Consumer, failure_of
from localcloud.running import Running, cancel

_PAUSE = 0.04  # Seconds between two rounds: some 20 a second, each of one read and one call with each value in use.


@dataclass(frozen=True)
class FailedCall:
    """
    A call that did not succeed, or a read of the secret that did not: then there is no `version`.
    """

    at: datetime
    version: str | None
    key: str | None
    """What the version says that it holds: its tag CredentialId."""
    code: str
    status: int | None

    def __str__(self) -> str:
        what = f"version {self.version}, key {self.key}" if self.version else "reading the secret"
        return f"{self.at:%H:%M:%S.%f} {what}: {self.status or 'no answer'} {self.code}"


@dataclass(eq=False)
class Held:
    """
    A version that was read, and is in use.
    """

    version: str
    key: str | None
    value: str = field(repr=False)
    read_on: datetime
    """When the last read that found it current was begun."""


class SecretUser(Running):
    """
    Reads a secret again and again and uses the values that it holds, until its context is left.

    A kind of client says until when a value may be expected to work. Only a call that is over by then counts.
    """

    def __init__(self, azure: LocalAzure, vault: Vault, secret: str, consumer: Consumer) -> None:
        self.secret = secret
        self.client = consumer.client
        self.calls_with_current = 0
        self.calls_with_previous = 0
        """With a version that was not current any more."""
        self.discarded = 0
        self.failures: list[FailedCall] = []
        self._azure = azure
        self._vault = vault
        self._consumer = consumer
        self._held: list[Held] = []
        """The newest comes last, and stays."""
        self._rounds = 0
        self._progress = asyncio.Condition()

    @property
    def calls(self) -> int:
        """
        How many calls counted, failed ones included.
        """
        return self.calls_with_current + self.calls_with_previous

    async def use_all(self) -> None:
        """
        Wait until the secret has been read once more, and everything that is held then was used.
        """
        enough = self._rounds + 2  # The round that is under way may be almost over.
        await self._wait_until(lambda: self._rounds >= enough)

    @abstractmethod
    def _is_outdated(self, held: Held) -> bool:
        """
        Whether a value need not work any more.
        """

    async def _wait_until(self, condition: Callable[[], bool]) -> None:
        async with self._progress:
            await self._progress.wait_for(condition)

    async def _start(self, running: AsyncExitStack) -> None:
        connector = aiohttp.TCPConnector(ssl=self._azure.ca.client_context)
        session = await running.enter_async_context(aiohttp.ClientSession(connector=connector))
        transport = AioHttpTransport(session=session, session_owner=False)
        credential = _LocalCredential(self._azure.identity)
        # Azure's vaults end in what the challenge names; this one does not.
        client = SecretClient(self._vault.uri, credential, transport=transport, verify_challenge_resource=False)
        await running.enter_async_context(client)
        running.push_async_callback(self._forget_all)
        running.push_async_callback(cancel, asyncio.create_task(self._go_on(client, session)))

    async def _go_on(self, client: SecretClient, session: aiohttp.ClientSession) -> None:
        while True:
            await self._read(client)
            for held in reversed(self._held.copy()):
                if not await self._counts(held, session):
                    continue
                if held is self._held[-1]:
                    self.calls_with_current += 1
                else:
                    self.calls_with_previous += 1
            self._rounds += 1
            async with self._progress:
                self._progress.notify_all()
            await asyncio.sleep(_PAUSE)

    async def _read(self, client: SecretClient) -> None:
        began_on = datetime.now(UTC)
        try:
            secret = await client.get_secret(self.secret)
        except AzureError as error:
            self._report(failure_of(error), None)
            return
        version = secret.properties.version or ""
        if not self._held or self._held[-1].version != version:
            key = (secret.properties.tags or {}).get("CredentialId")
            self._held.append(Held(version, key, secret.value or "", began_on))
        self._held[-1].read_on = began_on

    async def _counts(self, held: Held, session: aiohttp.ClientSession) -> bool:
        """
        Make a call, if that may be expected to succeed; return whether it could be, up to its end.
        """
        if self._is_outdated(held):
            await self._drop(held)
            return False
        failure: CallFailed | None = None
        try:
            await self._consumer.use(held.version, held.value, session)
        except CallFailed as error:
            failure = error
        if self._is_outdated(held):
            self.discarded += 1
            await self._drop(held)
            return False
        if failure:
            self._report(failure, held)
        return True

    async def _drop(self, held: Held) -> None:
        if held is not self._held[-1]:
            self._held.remove(held)
            await self._consumer.forget(held.version)

    def _report(self, failure: CallFailed, held: Held | None) -> None:
        version, key = (held.version, held.key) if held else (None, None)
        self.failures.append(FailedCall(datetime.now(UTC), version, key, failure.code, failure.status))

    async def _forget_all(self) -> None:
        for held in self._held:
            await self._consumer.forget(held.version)


class _LocalCredential(AbstractAsyncContextManager["_LocalCredential"]):
    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    async def get_token(self, *_: str, **__: object) -> AccessToken:
        return AccessToken(self._identity.issue(KEY_VAULT, SECRET_USERS), int(time.time()) + self._identity.lifetime)

    async def close(self) -> None:
        pass  # There is nothing to close.

    async def __aexit__(self, *_: object) -> None:
        pass
