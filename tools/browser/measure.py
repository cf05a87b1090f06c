"""
How fast the page shows ten thousand secrets, and what it takes to hold them: `make bench-page`.

Everything is real: the page in the browser, the app in its host, rows in Azurite. Only the vaults were filled by hand.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.async_api import Browser, Page

from localcloud.azure.certificates import CertificateAuthority
from localcloud.azure.cloud import RESOURCE_GROUP, SUBSCRIPTION
from localcloud.azure.vault import Vault
from tools.browser.chromium import chromium

SECRETS = 10_000
ROUNDS = 5
_VAULTS = ("kv-one", "kv-two")
_SHARING = 2  # Secrets of one target.
_VALID_FOR = timedelta(days=31)  # At least; none is due.
_MILLION = 1e6

# In the page: scrolls from top to bottom, a screen in each frame, and returns how long the frames took.
_SCROLL = """async () => {
  const frame = () => new Promise(requestAnimationFrame);
  const times = [];
  let before = await frame();
  for (let top = 0; top < document.documentElement.scrollHeight; top += innerHeight) {
    scrollTo(0, top);
    const now = await frame();
    times.push(now - before);
    before = now;
  }
  return times;
}"""


async def main(secrets: int, rounds: int) -> None:
    """
    Fill a local cloud, open the page again and again, and print what was seen.
    """
    with tempfile.TemporaryDirectory(prefix="page-") as folder:
        ca = CertificateAuthority(Path(folder))
        os.environ["SSL_CERT_FILE"] = str(ca.bundle)
        # aiohttp makes its TLS context when it is imported.
        from localcloud.cloud import LocalCloud  # noqa: PLC0415

        async with (
            LocalCloud(Path(folder) / "cloud", ca=ca, vault_names=_VAULTS, ROTATION_VERIFY_DAYS="0") as cloud,
            chromium() as browser,
        ):
            for number in range(secrets):
                _put(cloud.vaults[number % 2], number)
            sys.stdout.write(f"{secrets:,} secrets; the app looks at them for the first time ...\n")
            await _measure(browser, cloud.host.url, cloud.host.function_key, is_counted=False)
            found = [await _measure(browser, cloud.host.url, cloud.host.function_key) for _ in range(rounds)]
    for name in found[0]:
        values = [each[name] for each in found]
        sys.stdout.write(f"{name:<52} {statistics.median(values):8.2f}  ({min(values):.2f} to {max(values):.2f})\n")


def _put(vault: Vault, number: int) -> None:
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}"
    target = f"{group}/providers/Microsoft.Batch/batchAccounts/account{number // _SHARING:05}"
    tags = {"ProviderAddress": target, "CredentialId": "Primary", "ValidityPeriodDays": "90"}
    expires_on = datetime.now(UTC).replace(microsecond=0) + _VALID_FOR + timedelta(minutes=number * 7)
    vault.set(f"key-{number:05}", "a value that nobody reads", tags=tags, expires_on=expires_on)


async def _measure(browser: Browser, url: str, key: str, *, is_counted: bool = True) -> dict[str, float]:
    context = await browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(180_000)
    await context.add_init_script(f"sessionStorage.setItem('function-key', {key!r})")
    page = await context.new_page()
    await page.goto(f"{url}/api/dashboard", wait_until="commit")
    await page.wait_for_selector(".table .name")
    first = await _seconds(page)
    await page.locator(".tile b").first.filter(has_not_text="+").wait_for()
    whole = await _seconds(page)
    found = {"first rows, seconds": first, "whole list read, seconds": whole}
    if is_counted:
        found |= await _scrolling(page)
    await context.close()
    return found


async def _scrolling(page: Page) -> dict[str, float]:
    times = sorted(await page.evaluate(_SCROLL))
    session = await page.context.new_cdp_session(page)
    await session.send("HeapProfiler.collectGarbage")
    usage = await session.send("Runtime.getHeapUsage")
    return {
        "a frame while scrolling a screen each, median ms": statistics.median(times),
        "... 99th percentile, ms": times[int(len(times) * 0.99)],
        "elements in the document": await page.evaluate("document.querySelectorAll('*').length"),
        "JavaScript heap, MB": usage["usedSize"] / _MILLION,
    }


async def _seconds(page: Page) -> float:
    return float(await page.evaluate("performance.now() / 1000"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tools.browser.measure", description=__doc__)
    parser.add_argument("--secrets", type=int, default=SECRETS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.secrets, arguments.rounds))
