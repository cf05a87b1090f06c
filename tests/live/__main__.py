"""
Try in a real subscription what docs/fidelity.md assumes: `make live`.
"""

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from azure.core.exceptions import AzureError

from localcloud.azure.certificates import CertificateAuthority
from tests.live import description
from tests.live.fidelity import read_page
from tests.live.places import LocalCloud, Place, Subscription
from tests.live.plugin import Ended
from tests.live.report import CONFIRMED, REFUTED, Run, Verdict, judge, table
from tools.azd.clis import HookError

_ROOT = Path(__file__).parents[2]


def main() -> int:
    """
    Run the suite from the command line; return 0 if nothing was refuted, something was confirmed, and all is removed.
    """
    options = _options()
    with tempfile.TemporaryDirectory(prefix="live-", ignore_cleanup_errors=True) as directory:
        results = Path(directory) / "ended.json"
        problem = ""
        try:
            place = _place(options, Path(directory))
            if not _is_agreed(place, sure=options.yes):
                return 1
            asyncio.run(_run(place, Path(directory), results, options.pytest))
        except (KeyboardInterrupt, asyncio.CancelledError):
            problem = "stopped"
        except (HookError, AzureError) as error:
            # Where the removal failed as well, what went wrong first is said first.
            problem = "\n".join(str(each) for each in (error.__context__, error) if each)
        ended = msgspec.json.decode(results.read_bytes(), type=list[Ended]) if results.exists() else []
    verdicts = judge(read_page(), ended)
    if ended:  # Also if it was stopped, or if what was made could not be removed.
        _write(options.json or Path(f"dist/live-{place.name.replace(' ', '-')}.json"), place, options.pytest, verdicts)
        sys.stdout.write(f"{table(verdicts, place.name)}\n")
    else:
        problem = problem or "the tests ended without results"
    if problem:
        sys.stderr.write(f"live: {problem}\n")
    found = {one.verdict for one in verdicts}
    is_clear = not any(one.outcome == "unclear" for one in ended)
    return 0 if not problem and is_clear and CONFIRMED in found and REFUTED not in found else 1


def _write(file: Path, place: Place, pytest: list[str], verdicts: list[Verdict]) -> None:
    """
    Write down what was found, with where and when.
    """
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=_ROOT, check=False, capture_output=True, text=True)  # noqa: S607 - from PATH
    run = Run(place.name, datetime.now(UTC).isoformat(timespec="seconds"), commit.stdout.strip(), pytest, verdicts)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(run)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.live", description=__doc__)
    parser.add_argument(
        "--local-cloud", action="store_true", help="run against the local cloud: the proof of the suite"
    )
    parser.add_argument("--location", default="westeurope", help="the region of the resource group (westeurope)")
    parser.add_argument(
        "--logic-app", action="store_true", help="make a Logic App as well, which is billed by the hour"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--json", type=Path, help="the results (dist/live-....json)")
    parser.add_argument("pytest", nargs="*", help="passed on to pytest, after --")
    return parser.parse_args()


def _place(options: argparse.Namespace, directory: Path) -> Place:
    if options.local_cloud:
        return LocalCloud(directory, CertificateAuthority(directory))
    return Subscription(options.location, has_logic_app=options.logic_app)


def _is_agreed(place: Place, *, sure: bool) -> bool:
    question = place.question()
    if question is None:
        return True
    sys.stderr.write(f"{question}\n")
    if sure:
        return True
    if not sys.stdin.isatty():
        sys.stderr.write("live: nobody is there to agree: say --yes.\n")
        return False
    return input("Go on? [y/N] ").strip().lower() in {"y", "yes"}


async def _run(place: Place, directory: Path, results: Path, more: list[str]) -> None:
    """
    Run the tests in a process of their own, as the SDKs read the environment when they are imported.
    """
    with suppress(NotImplementedError):  # Windows has no such signal.
        this = asyncio.current_task()
        assert this is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    file = directory / "place.json"
    async with place.open() as made:
        description.write(made, file)
        # No traceback and no summary: what an assertion compares may be keys.
        command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "--no-summary", "--show-capture=no"]
        command += ["-p", "tests.live.plugin", "--ended", str(results), "tests/contract", "tests/live", *more]
        environment = {**_own_environment(), **made.settings, description.VARIABLE: str(file)}
        process = await asyncio.create_subprocess_exec(*command, cwd=_ROOT, env=environment, stdout=sys.stderr)
        try:
            await process.wait()
        finally:
            if process.returncode is None:  # It was stopped: what it has found so far is written down.
                process.send_signal(signal.SIGINT)
                await process.wait()


def _own_environment() -> dict[str, str]:
    """
    Return the environment without what would have the SDKs, or the app's settings, look elsewhere.
    """
    elsewhere = ("AZURE_", "AzureWebJobs", "IDENTITY_", "MSI_", "ROTATION_")
    return {
        name: value
        for name, value in os.environ.items()
        if name == "AZURE_CONFIG_DIR" or not name.startswith(elsewhere)
    }


if __name__ == "__main__":
    sys.exit(main())
