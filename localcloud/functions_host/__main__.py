"""
Serve an app from the command line: `python -m localcloud.functions_host --app DIR`.

The app's settings are the environment. When the host is ready it prints one line of JSON: its URL, the functions'
names and the keys. SIGTERM and SIGINT stop it gracefully: it waits for what runs, without limit.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

import yarl

from localcloud.functions_host import app_index, ending, host_json, logs
from localcloud.functions_host.app_settings import load_local_settings
from localcloud.functions_host.errors import StartupError
from localcloud.functions_host.host import Host
from localcloud.functions_host.keys import Keys


def main() -> None:
    """
    Serve until told to stop.
    """
    options = _parse_arguments()
    announcement = _keep_stdout_for_announcement()
    logs.configure(options.log)
    if options.until_stdin_closes:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    try:
        if options.settings is not None:
            load_local_settings(options.settings)
        asyncio.run(_serve(options, announcement))
    except StartupError as error:
        sys.exit(f"The Functions host cannot start: {error}")


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m localcloud.functions_host", description=__doc__)
    parser.add_argument("--app", type=Path, required=True, help="the folder that holds function_app.py and host.json")
    parser.add_argument(
        "--port",
        type=int,
        default=os.environ.get("LOCAL_PORT", "0"),
        help="where to listen (default: LOCAL_PORT, or else any free port)",
    )
    parser.add_argument("--settings", type=Path, help="a local.settings.json whose Values join the environment")
    parser.add_argument("--log", type=Path, help="a file for the log (default: standard error)")
    parser.add_argument("--silent", action="store_true", help="print nothing when it is ready")
    parser.add_argument(
        "--until-stdin-closes", action="store_true", help="end when the process at the other end of standard input ends"
    )
    return parser.parse_args()


def _keep_stdout_for_announcement() -> TextIO:
    """
    Have what the app prints go to standard error, so that the one line on standard output is the host's.
    """
    announcement = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return announcement


def _end_with_stdin() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    # Not gracefully: the parent has ended and needs no result, and a function that hangs must not keep the host.
    os._exit(1)


async def _serve(options: argparse.Namespace, announcement: TextIO) -> None:
    """
    Serve until told to stop, or until a function exceeds the time limit: then start again on the same port.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    app = options.app.resolve()
    configuration = host_json.read(app / "host.json")
    keys = Keys.from_environment()
    functions = app_index.index(app)
    host = Host(functions, configuration, keys)
    try:
        url = await host.start(options.port)
        with announcement:
            if not options.silent:
                print(json.dumps({"url": url, "functions": sorted(functions), "keys": asdict(keys)}), file=announcement)
        waiting = [asyncio.create_task(event.wait()) for event in (stop, host.timed_out)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await host.stop()
    if host.timed_out.is_set():
        # The loop must not close: that would cancel what still runs, which Azure's host never does.
        if stop.is_set():
            ending.end_at_once()
        os.environ |= keys.as_settings()
        ending.start_again([*sys.argv[1:], "--port", str(yarl.URL(url).port), "--silent"])


if __name__ == "__main__":
    main()
