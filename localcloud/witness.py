"""
A witness of the first promise.

That is: a client that reads a secret at any moment, and caches what it read until the next rotation, never gets an
authentication error.

It rests on assumptions 24, 27 and 37 of docs/fidelity.md.
"""

import asyncio
import time
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
from localcloud.azure.vault import Vault
from localcloud.consumers import CallFailed, Consumer, failure_of
from localcloud.regenerations import Regenerations
from localcloud.running import Running, cancel

_PAUSE = 0.04  # Seconds between two rounds: some 20 a second, each of one read and one or two calls.


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


@dataclass(frozen=True)
class _Held:
    version: str
    key: str | None
    value: str = field(repr=False)


class Witness(Running):
    """
    Reads a secret anew all the time and uses its value, and the one before it, until its context is left.

    The version before the current one may be used until the next rotation begins. So a call with it counts unless a
    request to regenerate a key of the target came in after the version's successor was stored, and before the call
    ended: such a call is discarded, and the version with it. A call with the current version always counts. What an
    InPlace rotation replaces is dead at once: this is no witness for such a secret.
    """

    def __init__(self, azure: LocalAzure, vault: Vault, secret: str, consumer: Consumer) -> None:
        self.secret = secret
        self.client = consumer.client
        self.calls_with_current = 0
        self.calls_with_previous = 0
        self.discarded = 0
        self.failures: list[FailedCall] = []
        self._azure = azure
        self._vault = vault
        self._consumer = consumer
        self._regenerations = Regenerations(azure.requests, consumer.target)
        self._current: _Held | None = None
        self._previous: _Held | None = None
        self._progress = asyncio.Condition()

    @property
    def calls(self) -> int:
        """
        How many calls counted, failed ones included.
        """
        return self.calls_with_current + self.calls_with_previous

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

    async def see_more(self, calls: int) -> None:
        """
        Wait until so many more calls have counted with the current version, and with the one before if it is in use.
        """
        current, previous = self.calls_with_current + calls, self.calls_with_previous + calls

        def has_seen_enough() -> bool:
            return self.calls_with_current >= current and (
                self._previous is None or self.calls_with_previous >= previous
            )

        async with self._progress:
            await self._progress.wait_for(has_seen_enough)

    async def _go_on(self, client: SecretClient, session: aiohttp.ClientSession) -> None:
        while True:
            await self._read(client)
            if self._current and await self._counts(self._current, session):
                self.calls_with_current += 1
            if self._previous and await self._counts(self._previous, session):
                self.calls_with_previous += 1
            async with self._progress:
                self._progress.notify_all()
            await asyncio.sleep(_PAUSE)

    async def _read(self, client: SecretClient) -> None:
        try:
            secret = await client.get_secret(self.secret)
        except AzureError as error:
            self._report(failure_of(error), None)
            return
        version = secret.properties.version or ""
        if self._current is None or self._current.version != version:
            if self._previous:
                await self._consumer.forget(self._previous.version)
            self._previous = self._current
            self._current = _Held(version, (secret.properties.tags or {}).get("CredentialId"), secret.value or "")

    async def _counts(self, held: _Held, session: aiohttp.ClientSession) -> bool:
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

    def _is_outdated(self, held: _Held) -> bool:
        """
        Whether a rotation has begun since the version got a successor.
        """
        versions = self._vault.versions(self.secret)
        later = versions[[known.version for known in versions].index(held.version) + 1 :]
        return bool(later) and self._regenerations.any_since(later[0].created_on)

    async def _drop(self, held: _Held) -> None:
        if held is self._previous:
            self._previous = None
            await self._consumer.forget(held.version)

    def _report(self, failure: CallFailed, held: _Held | None) -> None:
        version, key = (held.version, held.key) if held else (None, None)
        self.failures.append(FailedCall(datetime.now(UTC), version, key, failure.code, failure.status))

    async def _forget_all(self) -> None:
        for held in (self._previous, self._current):
            if held:
                await self._consumer.forget(held.version)


class _LocalCredential(AbstractAsyncContextManager["_LocalCredential"]):
    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    async def get_token(self, *_: str, **__: object) -> AccessToken:
        return AccessToken(self._identity.issue(KEY_VAULT), int(time.time()) + self._identity.lifetime)

    async def close(self) -> None:
        pass  # There is nothing to close.

    async def __aexit__(self, *_: object) -> None:
        pass
