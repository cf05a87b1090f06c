"""
Take the screenshots that README and docs show, of the page as `make start` shows it: `make pictures`.
"""

import asyncio
import os
import re
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from playwright.async_api import Browser, Page, Route

from localcloud.azure.certificates import CertificateAuthority
from tools.browser.chromium import chromium

if TYPE_CHECKING:
    from localcloud.cloud import LocalCloud

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
VAULT = "kv-production.vault.azure.net"
WIDE, PHONE = (1280, 860), (390, 844)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """
    What is shown, how large and in which colours, and what is done before.
    """

    name: str
    view: str
    size: tuple[int, int] = WIDE
    scheme: Literal["light", "dark"] = "light"
    prepare: Callable[[Page], Awaitable[None]] | None = None


async def _plan(page: Page) -> None:
    await page.get_by_role("button", name="Rotate", exact=True).click()
    await page.get_by_role("dialog").get_by_text("Clients notice nothing").wait_for()


PICTURES = (
    Picture(name="overview", view="#/"),
    Picture(name="overview-dark", view="#/", scheme="dark"),
    Picture(name="overview-phone", view="#/", size=PHONE),
    Picture(name="secret", view="#/secrets/{vault}/partner-key"),
    Picture(name="secret-phone-dark", view="#/secrets/{vault}/partner-key", size=PHONE, scheme="dark"),
    Picture(name="rotate", view="#/secrets/{vault}/batch-key", prepare=_plan),
    Picture(name="rotations", view="#/rotations"),
    Picture(name="calendar", view="#/calendar"),
)


async def main() -> None:
    """
    Start what `make start` starts, and take every picture.
    """
    with tempfile.TemporaryDirectory(prefix="pictures-") as folder:
        ca = CertificateAuthority(Path(folder))
        os.environ["SSL_CERT_FILE"] = str(ca.bundle)
        # aiohttp makes its TLS context when it is imported.
        from localcloud.cloud import LocalCloud  # noqa: PLC0415
        from localcloud.playground import furnish  # noqa: PLC0415
        from localcloud.troubles import bring_about  # noqa: PLC0415

        async with LocalCloud(Path(folder) / "cloud", ca=ca, is_impatient=True) as cloud, chromium() as browser:
            await furnish(cloud)
            await bring_about(cloud)
            FOLDER.mkdir(exist_ok=True)
            for picture in PICTURES:
                await _take(browser, cloud, picture)
                sys.stdout.write(f"docs/pictures/{picture.name}.png\n")


async def _take(browser: Browser, cloud: "LocalCloud", picture: Picture) -> None:
    width, height = picture.size
    context = await browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=picture.scheme, reduced_motion="reduce"
    )
    await context.add_init_script(f"sessionStorage.setItem('function-key', {cloud.host.function_key!r})")
    page = await context.new_page()
    await _rename(page, cloud.vault.uri.removeprefix("https://"))
    await page.goto(f"{cloud.host.url}/api/dashboard{picture.view.format(vault=VAULT)}")
    await page.locator("main section, main .list").first.wait_for()
    await page.wait_for_load_state("networkidle")
    if picture.prepare:
        await picture.prepare(page)
    await page.screenshot(path=FOLDER / f"{picture.name}.png")
    await context.close()


async def _rename(page: Page, vault: str) -> None:
    """
    Show the local vault under a name as vaults have it in Azure.
    """

    async def exchange(route: Route) -> None:
        url = route.request.url.replace(VAULT, quote(vault, safe=""))
        body = route.request.post_data and route.request.post_data.replace(VAULT, vault)
        answer = await route.fetch(url=url, post_data=body)
        await route.fulfill(response=answer, body=(await answer.text()).replace(vault, VAULT))

    await page.route(re.compile("/api/(secrets|rotations)"), exchange)


if __name__ == "__main__":
    asyncio.run(main())
