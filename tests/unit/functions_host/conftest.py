"""
Apps of a few lines, served by a host in a process of its own, on a real Azurite.
"""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import pytest
from azure.storage.queue.aio import QueueServiceClient

from localcloud.azurite import Azurite
from localcloud.cloud import MAX_POLLING_INTERVAL, OFTEN
from localcloud.functions_host.forking import fork_hosts
from localcloud.functions_host.process import FunctionsHost

PATIENCE_SECONDS = 20

fork_hosts()

PREAMBLE = """
import asyncio, json, logging, os, threading, time
import azure.functions as func

app = func.FunctionApp()
"""


class Serve(Protocol):
    """
    Makes an app of its source.
    """

    def __call__(self, source: str, *, host_json: dict[str, Any] | None = None, **settings: str) -> FunctionsHost:
        """
        Give the host for it, yet to be entered.
        """


class Eventually(Protocol):
    """
    Waits until a condition holds.
    """

    async def __call__(self, condition: Callable[[], Awaitable[bool]]) -> None:
        """
        Raise TimeoutError if it takes too long.
        """


@pytest.fixture(scope="session")
async def queues(azurite: Azurite) -> AsyncIterator[QueueServiceClient]:
    """
    Yield a client that sees messages as they are stored.
    """
    async with QueueServiceClient.from_connection_string(azurite.connection_string) as client:
        yield client


@pytest.fixture(scope="session")
def serve(azurite: Azurite, tmp_path_factory: pytest.TempPathFactory) -> Serve:
    """
    Return the way to serve an app.
    """

    def host(source: str, *, host_json: dict[str, Any] | None = None, **settings: str) -> FunctionsHost:
        app = tmp_path_factory.mktemp("app")
        write_app(app, PREAMBLE + source, host_json or {})
        return FunctionsHost(
            app=app,
            environment={"AzureWebJobsStorage": azurite.connection_string, MAX_POLLING_INTERVAL: OFTEN, **settings},
            log=app / "host.log",
        )

    return host


@pytest.fixture(scope="session")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """
    Yield a client without any key.
    """
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture(scope="session")
def eventually() -> Eventually:
    """
    Return the way to wait for what takes a moment.
    """

    async def wait(condition: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            for pause in itertools.repeat(0.01):
                if await condition():
                    return
                await asyncio.sleep(pause)

    return wait


def write_app(folder: Path, source: str, host_json: dict[str, Any]) -> None:
    """
    Lay out a Function App.
    """
    (folder / "function_app.py").write_text(source)
    (folder / "host.json").write_text(json.dumps({"version": "2.0", **host_json}))
