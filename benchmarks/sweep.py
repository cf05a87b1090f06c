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
from datetime import UTC, datetime, timedelta
from pathlib import Path

from localcloud.azure.certificates import CertificateAuthority

_DIRECTORY = tempfile.TemporaryDirectory(prefix="bench-")
_CA = CertificateAuthority(Path(_DIRECTORY.name))
# Before aiohttp is first imported: it builds its TLS context once, at import.
os.environ["SSL_CERT_FILE"] = str(_CA.bundle)

from localcloud.azure.cloud import RESOURCE_GROUP, SUBSCRIPTION  # noqa: E402
from localcloud.azure.faults import Fault  # noqa: E402
from localcloud.cloud import LocalCloud  # noqa: E402

VAULTS = ("kv-one", "kv-two", "kv-three")
TARGETS = 50  # to which the secrets belong
ONE_IN = 100  # is due


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
    peak: int
    """Bytes: the largest resident set of the app's process."""


async def measure(secrets: int) -> Sweep:
    """
    Fill three vaults, sweep them once in a fresh process, and return what that cost.
    """
    with tempfile.TemporaryDirectory(prefix="bench-sweep-") as directory:
        async with LocalCloud(Path(directory), ca=_CA, vault_names=VAULTS) as cloud:
            due = fill(cloud, secrets)
            # Found due, but not rotated now: what a rotation costs is not what is measured.
            cloud.azure.faults.add(Fault(operation="Vault.GetSecret", kind="hang", skip=due, times=None))
            requests = cloud.azure.requests
            requests.clear()
            before = len(cloud.storage.requests)
            started = time.perf_counter()
            await cloud.host.run("sweep_vaults")
            seconds = time.perf_counter() - started
            peak = peak_memory(cloud.host.pid)
            pages, reads = (
                requests.count(operation, took_effect=True) for operation in ("Vault.ListSecrets", "Vault.GetSecret")
            )
            signing_in = sum(entry.operation in {"Vault.Challenge", "Identity.Token"} for entry in requests)
            waiting = sum(entry.operation == "Vault.GetSecret" and not entry.took_effect for entry in requests)
            others = len(requests) - pages - reads - signing_in - waiting
            ledger = sum(entry.operation.startswith("Ledger.") for entry in list(cloud.storage.requests)[before:])
            cloud.azure.faults.clear()
    return Sweep(secrets, due, pages, reads, others, ledger, seconds, peak)


def fill(cloud: LocalCloud, secrets: int) -> int:
    """
    Put managed secrets into all vaults; return how many of them are due.
    """
    accounts = [
        cloud.azure.add_batch_account(subscription=SUBSCRIPTION, resource_group=RESOURCE_GROUP, name=f"account{number}")
        for number in range(TARGETS)
    ]
    now = datetime.now(UTC).replace(microsecond=0)
    due = 0
    for number in range(secrets):
        account = accounts[number % TARGETS]
        is_due = number % ONE_IN == 0
        due += is_due
        cloud.vaults[number % len(VAULTS)].set(
            f"secret-{number:06d}",
            account.primary,
            tags={"ProviderAddress": account.arm_id, "CredentialId": "Primary", "ValidityPeriodDays": "90"},
            expires_on=now + timedelta(days=10 if is_due else 60),
        )
    return due


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


def report(sweeps: list[Sweep]) -> str:
    """
    Return a table, and what the issue of memory comes to.
    """
    lines = [
        f"{'secrets':>8} {'due':>5} {'pages':>6} {'reads':>6} {'other':>6} {'ledger':>7} {'seconds':>8} {'peak MB':>8}"
    ]
    lines += [
        f"{sweep.secrets:>8,} {sweep.due:>5} {sweep.pages:>6} {sweep.reads:>6} {sweep.others:>6} {sweep.ledger:>7}"
        f" {sweep.seconds:>8.2f} {sweep.peak / 1e6:>8.1f}"
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
    parser.add_argument("sizes", nargs="*", type=int, default=[100, 1_000, 10_000], help="numbers of secrets")
    sizes = parser.parse_args().sizes
    try:
        sys.stdout.write(report([asyncio.run(measure(size)) for size in sizes]) + "\n")
    finally:
        _DIRECTORY.cleanup()


if __name__ == "__main__":
    main()
