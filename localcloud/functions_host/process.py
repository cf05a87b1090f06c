"""
The host as a child process, for tests and the demo: started, asked, killed.

It rests on assumption 78 of docs/fidelity.md.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, ClassVar, Protocol

import aiohttp
import msgspec

from localcloud.azure.directory import MACHINE, token_for
from localcloud.functions_host import event_grid_webhook
from localcloud.functions_host.invocation import Counts
from localcloud.functions_host.keys import Keys
from localcloud.functions_host.sign_in import KEY as SIGN_IN_KEY
from localcloud.running import Running

REPOSITORY = Path(__file__).resolve().parents[2]
_START_SECONDS = 60
# How long a host may go on after it was told to stop, before the platform kills it; LOCAL_GRACE_SECONDS says otherwise.
_GRACE_SECONDS = 5.0
_TAIL_LINES = 30


class HostError(Exception):
    """
    The host did not start, or a function that was run failed.
    """


class _Ready(msgspec.Struct):
    url: str
    functions: list[str]
    keys: Keys


class _Status(msgspec.Struct):
    functions: dict[str, Counts]


class HostProcess(Protocol):
    """
    A process as asyncio shows it.
    """

    stdout: asyncio.StreamReader | None

    @property
    def pid(self) -> int:
        """
        Its id.
        """

    @property
    def returncode(self) -> int | None:
        """
        Its exit code; negative for a signal, None as long as it runs.
        """

    def send_signal(self, number: int, /) -> None:
        """
        Send a signal. May raise ProcessLookupError if it has ended.
        """

    async def wait(self) -> int:
        """
        Wait for its end; return its exit code.
        """


class Launch(Protocol):
    """
    Starts a host in a process.
    """

    async def __call__(self, arguments: Sequence[str], environment: Mapping[str, str], log: IO[bytes]) -> HostProcess:
        """
        Start it with these arguments and this environment; standard error is the log.

        It leads a session of its own: Ctrl-C is for the parent, who then stops it. Only this process holds the other
        end of its standard input, which closes however this process ends.
        """


async def run_python(arguments: Sequence[str], environment: Mapping[str, str], log: IO[bytes]) -> HostProcess:
    """
    Start a host as anyone would: a `Launch`.
    """
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "localcloud.functions_host", *arguments),
        cwd=REPOSITORY,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=log,
        start_new_session=True,
    )


class FunctionsHost(Running):
    """
    A Functions host in a process of its own, for `async with`.

    `environment` joins this process's environment; `log` gets the host's log, and whatever else it says on standard
    error. The host is gone when the block is left or this process ends, whichever way that happens.
    """

    launch: ClassVar[Launch] = staticmethod(run_python)

    def __init__(self, *, app: Path, environment: Mapping[str, str], log: Path, keys: Keys | None = None) -> None:
        self._app = app
        self._environment = dict(environment)
        if keys is not None:
            self._environment |= keys.as_settings()
        self._log = log

    async def _start(self, running: contextlib.AsyncExitStack) -> None:
        self._process = await self._launch()
        running.push_async_callback(self.kill)
        ready = await self._ready()
        self.url = ready.url
        self.functions = ready.functions
        self.keys = ready.keys
        self._admin = await running.enter_async_context(
            aiohttp.ClientSession(ready.url, headers={"x-functions-key": ready.keys.master} | self._token())
        )
        running.push_async_callback(self.stop)

    @property
    def settings(self) -> Mapping[str, str]:
        """
        What it was given to join this process's environment.
        """
        return self._environment

    @property
    def pid(self) -> int:
        """
        The host's process id.
        """
        return self._process.pid

    @property
    def function_key(self) -> str:
        """
        Opens functions of level `function`.
        """
        return self.keys.function

    @property
    def credential(self) -> dict[str, str]:
        """
        The headers with which a machine may do everything that the app's API offers.
        """
        return self._token() or {"x-functions-key": self.function_key}

    def webhook_url(self, function: str) -> str:
        """
        Where Event Grid delivers to, with the key in it.
        """
        return f"{self.url}{event_grid_webhook.PATH}?functionName={function}&code={self.keys.eventgrid}"

    async def trigger(self, function: str, text: str = "") -> str:
        """
        Set a function going now, and give the id of the invocation.
        """
        async with self._admin.post(f"/admin/functions/{function}", json={"input": text}) as response:
            if response.status != 202:  # noqa: PLR2004 - Accepted
                raise HostError(f"function {function} cannot be run: {response.status} {await response.text()}")
            invocation: str = (await response.json())["invocationId"]
            return invocation

    async def run(self, function: str, text: str = "") -> None:
        """
        Run a function now and wait until it ended; raises HostError if it failed.
        """
        invocation = await self.trigger(function, text)
        async with self._admin.get(f"/admin/invocations/{invocation}") as response:
            outcome = await response.json()
        if not outcome["succeeded"]:
            raise HostError(outcome["error"])

    async def counts(self, function: str) -> Counts:
        """
        Tell how often a function has run, for whatever reason, and how that went.
        """
        return (await self._status())[function]

    async def is_running(self) -> bool:
        """
        Tell whether any function runs now.
        """
        return any(counts.running for counts in (await self._status()).values())

    @property
    def has_ended(self) -> bool:
        """
        Whether its process is gone.
        """
        return self._process.returncode is not None

    async def stop(self) -> None:
        """
        Stop it as the platform does: ask, and kill it when its grace is over.

        Raises HostError if it ends with another exit code than 0. A host that has ended before is at rest.
        """
        if self.has_ended:
            return
        self._process.send_signal(signal.SIGTERM)
        grace = float(self._environment.get("LOCAL_GRACE_SECONDS", _GRACE_SECONDS))
        try:
            async with asyncio.timeout(grace):
                code = await self._process.wait()
        except TimeoutError:
            await self.kill()
            return
        if code != 0:
            raise HostError(f"the Functions host ended with exit code {code}:\n{self._tail()}")

    async def kill(self) -> None:
        """
        End it at once, as a crash would.
        """
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)
        await self._process.wait()

    def log_lines(self) -> list[dict[str, Any]]:
        """
        Read the records that it has logged so far, leaving out what the interpreter said and a line not yet complete.
        """
        lines = self._log.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}\n")]

    async def _status(self) -> dict[str, Counts]:
        async with self._admin.get("/admin/host/status") as response:
            return msgspec.json.decode(await response.read(), type=_Status).functions

    async def _launch(self) -> HostProcess:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            return await self.launch(
                ["--app", str(self._app.resolve()), "--until-stdin-closes"], {**os.environ, **self._environment}, log
            )

    def _token(self) -> dict[str, str]:
        """
        Return what passes the host's sign-in, where there is one: it stands before the admin API as well.
        """
        key = self._environment.get(SIGN_IN_KEY)
        return {"Authorization": f"Bearer {token_for(MACHINE, key)}"} if key else {}

    async def _ready(self) -> _Ready:
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        try:
            async with asyncio.timeout(_START_SECONDS):
                line = await self._process.stdout.readline()
        except TimeoutError:
            raise HostError(
                f"the Functions host of {self._app} was not ready within {_START_SECONDS} s:\n{self._tail()}"
            ) from None
        if not line:
            code = await self._process.wait()
            raise HostError(
                f"the Functions host of {self._app} ended with exit code {code} before it was ready:\n{self._tail()}"
            )
        return msgspec.json.decode(line, type=_Ready)

    def _tail(self) -> str:
        return "\n".join(self._log.read_text().splitlines()[-_TAIL_LINES:])
