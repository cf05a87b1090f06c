"""
What a secret's value is good for: calls as a workload makes them, with the official client where there is one.

It rests on assumptions 27 and 37 of docs/fidelity.md.
"""

from datetime import UTC, datetime
from typing import Protocol

import aiohttp
import msgspec
from azure.batch.aio import BatchClient
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.pipeline.transport import AioHttpTransport

from localcloud.azure.batch_accounts import BatchAccount
from localcloud.azure.workflows import Workflow

_PATIENCE = aiohttp.ClientTimeout(total=30)


class CallFailed(Exception):
    """
    A call did not succeed. Carries no message of the service, which might quote what it was sent.
    """

    def __init__(self, code: str, status: int | None = None) -> None:
        super().__init__(code)
        self.code = code
        """The service's error code; where there was no answer, what went wrong."""
        self.status = status


class _Code(msgspec.Struct):
    code: str


class _Error(msgspec.Struct):
    error: _Code


class Consumer(Protocol):
    """
    Somebody who needs the value of a secret.
    """

    @property
    def target(self) -> str:
        """
        The ARM id of what the value opens.
        """

    async def use(self, version: str, value: str, session: aiohttp.ClientSession) -> None:
        """
        Make one call with the value of a version. Raises `CallFailed`.
        """

    async def forget(self, version: str) -> None:
        """
        Close what was kept for a version.
        """


class BatchConsumer:
    """
    Lists the pools of a Batch account, with one client for each version of the key.
    """

    def __init__(self, account: BatchAccount) -> None:
        self._account = account
        self._clients: dict[str, BatchClient] = {}

    @property
    def target(self) -> str:
        """
        The account.
        """
        return self._account.arm_id

    async def use(self, version: str, value: str, session: aiohttp.ClientSession) -> None:
        """
        List the pools.
        """
        if version not in self._clients:
            credential = AzureNamedKeyCredential(self._account.name, value)
            transport = AioHttpTransport(session=session, session_owner=False)
            self._clients[version] = BatchClient(self._account.endpoint, credential, transport=transport)
        try:
            # azure-batch dates a request with utcnow(), which Python 3.12 and later warn about: it takes ours instead.
            async for _ in self._clients[version].list_pools(ocp_date=datetime.now(UTC)):
                pass
        except AzureError as error:
            raise failure_of(error) from None

    async def forget(self, version: str) -> None:
        """
        Close the version's client.
        """
        if client := self._clients.pop(version, None):
            await client.close()


class WorkflowConsumer:
    """
    Starts a workflow by its callback URL.
    """

    def __init__(self, workflow: Workflow) -> None:
        self._workflow = workflow

    @property
    def target(self) -> str:
        """
        The workflow, whose triggers share their keys.
        """
        return self._workflow.arm_id

    async def use(self, version: str, value: str, session: aiohttp.ClientSession) -> None:  # noqa: ARG002 - A URL is all.
        """
        Post to the URL.
        """
        try:
            async with session.post(value, json={}, timeout=_PATIENCE) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise CallFailed(type(error).__name__) from None
        if not answer.ok:
            raise CallFailed(_code_in(body) or str(answer.reason), answer.status)

    async def forget(self, version: str) -> None:
        """
        Nothing was kept.
        """


def failure_of(error: AzureError) -> CallFailed:
    """
    Return what may be told of an SDK's error.
    """
    if not isinstance(error, HttpResponseError):
        return CallFailed(type(error).__name__)
    code = error.error.code if error.error else None
    return CallFailed(code or str(error.reason), error.status_code)


def _code_in(body: bytes) -> str | None:
    """
    Return the error code of an answer.
    """
    try:
        return msgspec.json.decode(body, type=_Error).error.code
    except msgspec.DecodeError:
        return None
