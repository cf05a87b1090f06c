"""
A visit to the page, and everything that it must not do meanwhile.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal
from urllib.parse import quote

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Error, Page, Response, Route

from localcloud.cloud import LocalCloud
from localcloud.leaks import Place, find_leaks

WIDE, NARROW = (1440, 900), (390, 844)
PAGE = "/api/dashboard"


class Visit:
    """
    One tab, and what was seen of it: what it logged, whom it asked, and what it was answered.
    """

    def __init__(self, cloud: LocalCloud, context: BrowserContext, page: Page) -> None:
        self.cloud = cloud
        self.context = context
        self.page = page
        self.expected: list[str] = []
        """Parts of messages of the console that the test brings about, such as a status."""
        self._said: list[str] = []
        self._asked: list[str] = []
        self._answers: list[Place] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self._said.append(f"error: {error}"))
        page.on("request", lambda request: self._asked.append(request.url))
        page.on("response", self._read)

    async def open(self, view: str = "#/") -> Page:
        """
        Go to a view, and wait until it has a heading.
        """
        await self.page.goto(f"{self.cloud.host.url}{PAGE}{view}")
        await self.page.locator("h1").first.wait_for(state="attached")
        return self.page

    async def close(self) -> None:
        """
        Hold everything that was seen against what must not be.

        No line on the console, no request to elsewhere, no cookie, no key in an address, and no key material anywhere.
        """
        kept = await self.page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
        places = [
            *self._answers,
            Place("document", await self.page.content()),
            Place("storage", kept),
            *(Place("address", url) for url in self._asked),
            *(Place("console", line) for line in self._said),
        ]
        assert not find_leaks(self.cloud.azure.key_history, places).leaks
        assert not [url for url in self._asked if not url.startswith(f"{self.cloud.host.url}/")]
        assert not [url for url in self._asked if self.cloud.host.function_key in url]
        assert not [line for line in self._said if not any(part in line for part in self.expected)]

    def _hear(self, message: ConsoleMessage) -> None:
        self._said.append(f"{message.type}: {message.text}")

    async def _read(self, response: Response) -> None:
        # What a view asked for is dropped when the view is left.
        with suppress(Error):
            self._answers.append(Place(f"answer of {response.url}", await response.body()))


@asynccontextmanager
async def visiting(
    browser: Browser,
    cloud: LocalCloud,
    *,
    size: tuple[int, int] = WIDE,
    scheme: Literal["light", "dark"] = "light",
    has_key: bool = True,
    locale: str = "en-GB",
    time_zone: str = "Europe/Berlin",
) -> AsyncIterator[Visit]:
    """
    Visit the page as somebody who has signed in with the function key already, where they have the key.
    """
    context = await browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,
        locale=locale,
        timezone_id=time_zone,
        reduced_motion="reduce",
    )
    context.set_default_timeout(20_000)
    if has_key:
        await context.add_init_script(f"sessionStorage.setItem('function-key', {cloud.host.function_key!r})")
    visit = Visit(cloud, context, await context.new_page())
    try:
        yield visit
        await visit.close()
    finally:
        await context.close()


def view_of(cloud: LocalCloud, secret: str) -> str:
    """
    Return the address of the view of a secret.
    """
    return f"#/secrets/{quote(cloud.vault.uri.removeprefix('https://'), safe='')}/{secret}"


async def answer(page: Page, pattern: str, content: Any) -> None:
    """
    Answer requests in the app's place.
    """

    async def fulfil(route: Route) -> None:
        await route.fulfill(json=content)

    await page.route(pattern, fulfil)


def item_of(number: int) -> dict[str, Any]:
    """
    Return a secret as the list shows it.
    """
    target = f"/subscriptions/s/resourceGroups/g/providers/Microsoft.Batch/batchAccounts/account{number // 2}"
    return {
        "secret": {"vault": "https://my-vault.vault.azure.net", "name": f"key-{number:05}"},
        "target": target,
        "provider": "Microsoft.Batch/batchAccounts",
        "keyName": "Primary",
        "expiresOn": "2099-01-01T00:00:00Z",
        "status": "UpToDate",
        "why": None,
        "sharesTargetWith": [],
        "lastRotation": None,
        "seenOn": "2026-01-01T00:00:00Z",
        "verified": {"on": "2026-01-01T00:00:00Z", "result": "Live", "why": None},
        "leakedKey": None,
        "nextRotationOn": "2098-12-01T00:00:00Z",
    }
