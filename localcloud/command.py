"""
A command of this folder: a place for its files, one clear line for what goes wrong, a clean end when interrupted.
"""

import asyncio
import logging
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

Work: TypeAlias = Callable[[Path], Awaitable[int]]
"""Does everything in a directory and returns the exit status."""


def run(name: str, load: Callable[[], Work], *, interrupted: int) -> int:
    """
    Do the work that `load` imports, in a directory that is gone afterwards, and return the exit status.

    That is 1 after an error that is told, and `interrupted` after Ctrl-C or SIGTERM.
    """
    # A shell gives its background jobs an ignored SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Ctrl-C ends the processes of this command, too: asyncio warns of one that was waited for before it looked.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    try:
        work = load()
        with tempfile.TemporaryDirectory(prefix=f"azure-key-rotator-{name}-", ignore_cleanup_errors=True) as directory:
            return asyncio.run(_until_terminated(work(Path(directory))))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print(f"\n{name}: stopped", file=sys.stderr)
        return interrupted
    except Exception as error:
        if not isinstance(error, _expected()):
            raise
        print(f"{name}: {_in_one_line(error)}", file=sys.stderr)
        return 1


async def _until_terminated(work: Awaitable[int]) -> int:
    this = asyncio.current_task()
    assert this is not None  # noqa: S101 - a coroutine that runs is in a task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    return await work


def _expected() -> tuple[type[Exception], ...]:
    """
    Return the errors that say themselves what is wrong. Anything else is a mistake of ours and deserves its traceback.
    """
    # As slow to import as the work is, which has imported them by now.
    import aiohttp  # noqa: PLC0415

    from localcloud.azure.courier import HandshakeError  # noqa: PLC0415
    from localcloud.azurite import AzuriteError  # noqa: PLC0415
    from localcloud.functions_host.process import HostError  # noqa: PLC0415
    from localcloud.rotation_feed import StuckError  # noqa: PLC0415

    return AzuriteError, HostError, HandshakeError, StuckError, aiohttp.ClientError, OSError


def _in_one_line(error: Exception) -> str:
    """
    Return what an error says, without the log that some of them quote but with its last line, where the reason is.
    """
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[0] if len(lines) == 1 else f"{lines[0]} {lines[-1]}"
