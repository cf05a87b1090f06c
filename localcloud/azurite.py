"""
Azurite: the tables, queues and blobs of the local cloud, by Microsoft's own emulator.

It rests on assumptions 83 and 92 of docs/fidelity.md.
"""

import asyncio
import contextlib
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from localcloud.running import Running

REPOSITORY = Path(__file__).resolve().parents[1]
# What node_modules/.bin points to; it is run by node itself so that node's options can be given.
_SCRIPT = REPOSITORY / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
_SERVICES = frozenset({"Blob", "Queue", "Table"})
_ACCOUNTS_SCRIPT = Path(__file__).with_name("azurite_accounts.cjs")

# The account and key that every Azurite serves; published in its documentation. Those after it have the same key.
_ACCOUNT = "devstoreaccount"
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

# Standard input is a pipe that only the parent holds: it closes however the parent ends, also by SIGKILL.
_END_WITH_PARENT = "data:text/javascript,process.stdin.resume().on('close', () => process.exit())"
_LISTENING = re.compile(
    rb"Azurite (Blob|Queue|Table) service (?:is successfully listening at|successfully listens on) (\S+)"
)
_TAKEN = re.compile(rb"accounts taken: (\d+)\n")
_START_SECONDS = 60


class AzuriteError(Exception):
    """
    Azurite is not installed, or did not start.
    """


class Azurite(Running):
    """
    A running Azurite with empty storage in memory, for `async with`.

    It listens on ports that were free, works in `directory`, and is gone when the block is left or this process ends,
    whichever way that happens. It serves an account of its own, and those that it is given.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._addresses: dict[str, str] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._own = 1
        self._given: Mapping[str, Sequence[str]] = {}
        self._number = self._taken = 0
        self._answered = asyncio.Condition()
        self.has_ended = False

    @property
    def connection_string(self) -> str:
        """
        What the SDKs and the `AzureWebJobsStorage` setting take, for its own account.
        """
        account = f"{_ACCOUNT}{self._own}"
        endpoints = "".join(f"{service}Endpoint={address}/{account};" for service, address in self._addresses.items())
        return f"DefaultEndpointsProtocol=http;AccountName={account};AccountKey={_KEY};{endpoints}"

    @property
    def blobs(self) -> str:
        """
        Where the blobs of all accounts are.
        """
        return self._addresses["Blob"]

    async def empty(self) -> None:
        """
        Have another account of its own, with nothing in it, and no other one. The old one is refused from now on.
        """
        self._own += 1
        await self._set({})

    async def give(self, accounts: Mapping[str, Sequence[str]]) -> None:
        """
        Set the other accounts, with one or two keys each, one call at a time. From then on any other key is refused.
        """
        if accounts != self._given:
            await self._set(accounts)

    async def _set(self, accounts: Mapping[str, Sequence[str]]) -> None:
        assert self._process is not None  # noqa: S101 - it runs
        assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
        self._number += 1
        own = {f"{_ACCOUNT}{self._own}": (_KEY,)}
        line = ";".join(":".join((name, *keys)) for name, keys in (own | dict(accounts)).items())
        self._process.stdin.write(f"{self._number} {line}\n".encode())
        async with self._answered:
            await self._answered.wait_for(lambda: self._taken == self._number or self.has_ended)
        if self.has_ended:
            raise AzuriteError("Azurite has ended by itself")
        self._given = accounts

    async def _start(self, running: contextlib.AsyncExitStack) -> None:
        process = self._process = await self._launch()
        running.push_async_callback(_end, process)
        await self._listening(process)
        running.callback(asyncio.create_task(self._read_output(process)).cancel)

    async def _launch(self) -> asyncio.subprocess.Process:
        node = shutil.which("node")
        if node is None:
            raise AzuriteError("node is not on PATH: install Node.js 20 or later, then run `make setup`")
        if not _SCRIPT.exists():
            raise AzuriteError(f"Azurite is not installed ({_SCRIPT} is missing): run `make setup`")
        self._directory.mkdir(parents=True, exist_ok=True)
        return await asyncio.create_subprocess_exec(
            node,
            f"--import={_END_WITH_PARENT}",
            f"--require={_ACCOUNTS_SCRIPT}",
            str(_SCRIPT),
            "--silent",
            "--inMemoryPersistence",
            "--skipApiVersionCheck",
            "--disableTelemetry",
            *(f"--{service.lower()}Port=0" for service in sorted(_SERVICES)),
            cwd=self._directory,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            # Ctrl-C is the parent's to handle: a rotation that it still finishes needs its storage.
            start_new_session=True,
        )

    async def _listening(self, process: asyncio.subprocess.Process) -> None:
        """
        Wait until each service has said where it listens.
        """
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        said = b""
        try:
            async with asyncio.timeout(_START_SECONDS):
                while self._addresses.keys() < _SERVICES and (line := await process.stdout.readline()):
                    said += line
                    if found := _LISTENING.search(line):
                        self._addresses[found[1].decode()] = found[2].decode()
        except TimeoutError:
            raise AzuriteError(f"Azurite did not start within {_START_SECONDS} s; it said:\n{said.decode()}") from None
        if self._addresses.keys() < _SERVICES:
            raise AzuriteError(f"Azurite ended before it was ready; it said:\n{said.decode()}")

    async def _read_output(self, process: asyncio.subprocess.Process) -> None:
        # A pipe that nobody empties would stop Azurite once it is full.
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        while line := await process.stdout.readline():
            if found := _TAKEN.fullmatch(line):
                self._taken = int(found[1])
                await self._tell()
        self.has_ended = True
        await self._tell()

    async def _tell(self) -> None:
        async with self._answered:
            self._answered.notify_all()


async def _end(process: asyncio.subprocess.Process) -> None:
    # There is nothing to save: everything it holds is in memory.
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()
