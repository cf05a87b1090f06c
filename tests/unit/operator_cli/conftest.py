"""
The command, run against a small app that speaks the contract.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from rotator.app import app as command_line
from tests.unit.operator_cli.small_app import SmallApp

# What the shell that runs the tests may have set.
NOT_SET = dict.fromkeys(
    (
        "KEY_ROTATOR_URL",
        "KEY_ROTATOR_FUNCTION_KEY",
        "KEY_ROTATOR_AUDIENCE",
        "KEY_ROTATOR_APP",
        "KEY_ROTATOR_AUTH",
        "KEY_ROTATOR_RESOURCE_GROUP",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "FORCE_COLOR",
        "NO_COLOR",
    )
)


@dataclass(frozen=True)
class Command:
    """
    The command line, as a person at a shell uses it.
    """

    app: SmallApp

    async def __call__(
        self, *arguments: str, answer: str | None = None, environment: dict[str, str | None] | None = None
    ) -> Result:
        """
        Run it with arguments; `answer` is what is typed when it asks.
        """
        known = {"KEY_ROTATOR_URL": self.app.url, "KEY_ROTATOR_FUNCTION_KEY": self.app.function_key}
        runner = CliRunner(env=NOT_SET | known | (environment or {}))
        result = await asyncio.to_thread(runner.invoke, command_line, arguments, input=answer, catch_exceptions=False)
        assert self.app.function_key not in result.output
        assert self.app.token not in result.output
        return result

    async def json(self, *arguments: str) -> tuple[int, Any]:
        """
        Return the exit code and the JSON document, which is all there is on standard output.
        """
        result = await self(*arguments, "--json")
        return result.exit_code, json.loads(result.stdout)


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """
    Let this machine be in the time zone of the API.
    """
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
async def app() -> AsyncIterator[SmallApp]:
    """
    Yield an app without secrets.
    """
    async with SmallApp() as running:
        yield running


@pytest.fixture
def run(app: SmallApp) -> Command:
    """
    Return the command line for it.
    """
    return Command(app)
