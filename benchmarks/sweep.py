"""
One sweep over few secrets and over many: requests, time and memory. `make bench-sweep`.
"""

import argparse
import asyncio
import os
import re
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rotatable import fill
from localcloud.azure.faults import Fault
from localcloud.cloud import LocalCloud

VAULTS = ("kv-one", "kv-two", "kv-three")
ONE_IN = 100  # is due
SIZES = (10, 100, 1_000, 10_000)


@dataclass(frozen=True)
class Sweep:
    """
    What one sweep in a fresh process has cost.
    """

    secrets: int
    due: int
    pages: int
    reads: int
    others: int
    ledger: int
    seconds: float
    cpu: float
    """CPU seconds of the app's process."""
    azurite_cpu: float
    """CPU seconds of Azurite, which looks for a row through its whole partition: they grow with the square of it."""
    peak: int
    """Bytes: the largest resident set of the app's process."""


async def measure(secrets: int, *, latency: float = 0.0) -> Sweep:
    """
    Fill three vaults, sweep them once in a fresh process, and return what that cost.

    Every request to Azure and to the tables takes `latency` seconds at least.
    """
    with tempfile.TemporaryDirectory(prefix="bench-sweep-") as directory:
        async with LocalCloud(Path(directory), vault_names=VAULTS) as cloud:
            due = await fill(cloud.azure, cloud.vaults, secrets, due_one_in=ONE_IN)
            cloud.azure.latency = cloud.storage.latency = latency
            # Found due, but not rotated now: what a rotation costs is not what is measured.
            cloud.azure.faults.add(Fault(operation="Vault.GetSecret", kind="hang", skip=due, times=None))
            requests = cloud.azure.requests
            requests.clear()
            before = len(cloud.storage.requests)
            pids = cloud.host.pid, pid_of_azurite()
            used = [cpu_seconds(pid) for pid in pids]
            started = time.perf_counter()
            await cloud.host.run("sweep_vaults")
            seconds = time.perf_counter() - started
            cpu, azurite_cpu = (cpu_seconds(pid) - already for pid, already in zip(pids, used, strict=True))
            peak = peak_memory(cloud.host.pid)
            pages, reads = (
                requests.count(operation, took_effect=True) for operation in ("Vault.ListSecrets", "Vault.GetSecret")
            )
            signing_in = sum(entry.operation in {"Vault.Challenge", "Identity.Token"} for entry in requests)
            waiting = sum(entry.operation == "Vault.GetSecret" and not entry.took_effect for entry in requests)
            others = len(requests) - pages - reads - signing_in - waiting
            ledger = sum(entry.operation.startswith("Ledger.") for entry in list(cloud.storage.requests)[before:])
            cloud.azure.faults.clear()
    return Sweep(secrets, due, pages, reads, others, ledger, seconds, cpu, azurite_cpu, peak)


def peak_memory(pid: int) -> int:
    """
    Return the most memory that a process has had, in bytes; 0 where the system does not tell.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


def cpu_seconds(pid: int) -> float:
    """
    Return the CPU seconds that a process has used; 0 where the system does not tell.
    """
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def pid_of_azurite() -> int:
    """
    Return the process that is the Azurite of this one; 0 where the system does not tell.
    """
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        pid = int(command.parent.name)
        fields = _stat(pid)
        if fields and int(fields[1]) == os.getpid() and b"azurite" in command.read_bytes():
            return pid
    return 0


def _stat(pid: int) -> list[str]:
    """
    Return the fields behind the command's name, which may hold anything (proc(5)).
    """
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def report(sweeps: list[Sweep]) -> str:
    """
    Return a table, and what the issue of memory comes to.
    """
    titles = ("secrets", "due", "pages", "reads", "other", "ledger", "seconds", "app CPU", "Azurite CPU", "peak MB")
    lines = ["  ".join(f"{title:>7}" for title in titles)]
    lines += [
        f"{sweep.secrets:>7,}  {sweep.due:>7}  {sweep.pages:>7}  {sweep.reads:>7}  {sweep.others:>7}  {sweep.ledger:>7}"
        f"  {sweep.seconds:>7.2f}  {sweep.cpu:>7.2f}  {sweep.azurite_cpu:>11.2f}  {sweep.peak / 1e6:>7.1f}"
        for sweep in sweeps
    ]
    few, many = sweeps[0], sweeps[-1]
    lines += [
        "",
        f"requests: {many.pages} pages of 25 secrets, {many.reads} reads of {many.due} due ones, {many.others} others",
        f"peak memory for {many.secrets:,} secrets: {(many.peak - few.peak) / 1e6:+.1f} MB over {few.secrets:,}",
    ]
    return "\n".join(lines)


def main() -> None:
    """
    Measure from the command line.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=SIZES, help="numbers of secrets")
    parser.add_argument("--latency", type=float, default=0.0, metavar="MS", help="how long a request takes at least")
    arguments = parser.parse_args()
    latency = arguments.latency / 1000
    sys.stdout.write(report([asyncio.run(measure(size, latency=latency)) for size in arguments.sizes]) + "\n")


if __name__ == "__main__":
    main()
