"""
Hosts that are forked from a process that has imported what they import: for tests, which start hundreds of them.

Each still imports the app itself. What Python and TLS read once, at their start, is the same in all forks: a host whose
environment differs in that is started as usual.
"""

import asyncio
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import DupFd
from typing import IO, Any, Self

from localcloud.functions_host.process import REPOSITORY, FunctionsHost, HostProcess, run_python

_IMPORTED = (
    "localcloud.functions_host.__main__",
    "localcloud.functions_host.forking",
    "azure.data.tables.aio",
    "azure.eventgrid.aio",
    "azure.identity.aio",
    "azure.keyvault.secrets.aio",
    "azure.mgmt.batch.aio",
    "azure.mgmt.cognitiveservices.aio",
    "azure.mgmt.storage.aio",
    "azure.mgmt.web.aio",
)
_READ_AT_START = ("PYTHON", "SSL_CERT_")


def fork_hosts() -> None:
    """
    Let every host that this process starts from now on be a fork.
    """
    FunctionsHost.launch = _Forks().launch


class _Forks:
    """
    Starts hosts as forks of one process, which ends with this one.
    """

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(_IMPORTED))
        self._read_at_start = _read_at_start(os.environ)

    async def launch(self, arguments: Sequence[str], environment: Mapping[str, str], log: IO[bytes]) -> HostProcess:
        """
        Start a host with these arguments and this environment, whose standard error is the log.
        """
        if _read_at_start(environment) != self._read_at_start:
            return await run_python(arguments, environment, log)
        stdin, stdin_here = os.pipe()
        stdout_here, stdout = os.pipe()
        streams = [_Handed(stream) for stream in (stdin, stdout, log.fileno())]
        process = self._context.Process(target=_serve, args=(list(arguments), dict(environment), streams), daemon=True)
        process.start()
        os.close(stdin)
        os.close(stdout)
        return await _Fork(process, stdin_here).read(stdout_here)


class _Fork:
    """
    A process that is the child of another one.
    """

    def __init__(self, process: BaseProcess, stdin: int) -> None:
        assert process.pid is not None  # noqa: S101 - it has been started
        self.pid = process.pid
        self.stdout: asyncio.StreamReader | None = None
        self.returncode: int | None = None
        self._process = process
        self._stdin = stdin
        self._ended = asyncio.Event()

    async def read(self, stdout: int) -> Self:
        """
        Read what it says from now on, and notice its end.
        """
        loop = asyncio.get_running_loop()
        self.stdout = said = asyncio.StreamReader()
        self._reading, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(said), os.fdopen(stdout, "rb", buffering=0)
        )
        loop.add_reader(self._process.sentinel, self._end)
        return self

    def _end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._process.sentinel)
        self.returncode = self._process.exitcode
        self._process.close()
        self._reading.close()
        os.close(self._stdin)
        self._ended.set()

    def send_signal(self, number: int) -> None:
        """
        Send a signal, unless it has ended.
        """
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def wait(self) -> int:
        """
        Wait for its end; return the exit code, or the signal as a negative number.
        """
        await self._ended.wait()
        assert self.returncode is not None  # noqa: S101 - it has ended
        return self.returncode


class _Handed:
    """
    A file descriptor that the fork gets as one of its own.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __reduce__(self) -> tuple[Callable[[Any], int], tuple[Any]]:
        return _take, (DupFd(self._descriptor),)


def _take(handed: Any) -> int:
    descriptor: int = handed.detach()
    return descriptor


def _read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_READ_AT_START)}


def _serve(arguments: list[str], environment: Mapping[str, str], streams: Sequence[int]) -> None:
    """
    Be a host, in a fork, as `python -m localcloud.functions_host` is one.
    """
    from localcloud.functions_host.__main__ import main  # noqa: PLC0415 - it is there already

    os.setsid()
    os.chdir(REPOSITORY)
    os.environ.clear()
    os.environ |= environment
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin = open(0, closefd=False, encoding="utf-8")  # noqa: SIM115 - as long as the process lives
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv[1:] = arguments
    sys.path[:] = [str(REPOSITORY), *(path for path in sys.path if path.startswith((sys.prefix, sys.base_prefix)))]
    main()
