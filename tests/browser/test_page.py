"""
What holds for every view, whatever is done there.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import Browser, Page, Route, expect

from localcloud.cloud import LocalCloud
from tests.browser.visit import NARROW, WIDE, Visit, answer, item_of, view_of, visiting
from tools.browser.chromium import MODULES

AXE = (MODULES / "axe-core" / "axe.min.js").read_text() if (MODULES / "axe-core").exists() else ""
VIEWS = ("#/", "#/?group=target", "secret", "target", "#/rotations", "rotation", "#/calendar", "#/no-such-view")


async def address_of(visit: Visit, view: str) -> str:
    """
    Return the address of a view, of a kind of view the one about a secret with a leaked key.
    """
    if view == "secret":
        return view_of(visit.cloud, "partner-key")
    if view in {"target", "rotation"}:
        page = await visit.open(view_of(visit.cloud, "partner-key"))
        link = page.locator(f'main a[href^="#/{view}s/"]').first
        return str(await link.get_attribute("href"))
    return view


async def settled(page: Page) -> None:
    """
    Wait until the view has what it asked for.
    """
    await expect(page.locator(".loading")).to_have_count(0)


async def violations(page: Page) -> Sequence[str]:
    """
    Return what axe finds against the page as it stands.
    """
    await page.evaluate(AXE)
    found: dict[str, Any] = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [f"{each['id']}: {[node['html'] for node in each['nodes']][:3]}" for each in found["violations"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "phone"])
async def test_every_view_is_for_everyone(browser: Browser, cloud: LocalCloud, size: Any, scheme: Any) -> None:
    """
    Axe finds nothing, and nothing has to be scrolled sideways.
    """
    async with visiting(browser, cloud, size=size, scheme=scheme) as visit:
        for view in VIEWS:
            page = await visit.open(await address_of(visit, view))
            await settled(page)
            assert await violations(page) == [], view
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view


@pytest.mark.parametrize("button", ["Rotate", "Pause", "Change", "The key has leaked", "Stop managing"])
async def test_every_dialog_is_for_everyone(visit: Visit, button: str) -> None:
    """
    It takes the focus, has a name, and gives the focus back to the button that has opened it.
    """
    page = await visit.open(view_of(visit.cloud, "batch-key"))

    await page.get_by_role("button", name=button, exact=True).click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.locator(".loading")).to_have_count(0)
    assert await violations(page) == []
    assert await page.evaluate("document.querySelector('dialog').contains(document.activeElement)")
    await page.keyboard.press("Escape")

    await expect(dialog).to_have_count(0)
    await expect(page.get_by_role("button", name=button, exact=True)).to_be_focused()


async def test_all_is_done_by_keyboard_alone(visit: Visit) -> None:
    """
    From the address to the end of a rotation, without a pointer.
    """
    page = await visit.open()
    await settled(page)

    await press_until(page, "Tab", "workflow-url")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="workflow-url")).to_be_focused()
    await press_until(page, "Tab", "Rotate")
    await page.keyboard.press("Space")
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("Clients notice nothing")
    await press_until(page, "Tab", "Regenerate Secondary")
    await page.keyboard.press("Enter")
    await expect(dialog).to_contain_text("The new version of workflow-url")
    await press_until(page, "Tab", "Close")
    await page.keyboard.press("Enter")

    await expect(page.get_by_role("button", name="Rotate", exact=True)).to_be_focused()


async def press_until(page: Page, key: str, name: str) -> None:
    """
    Press a key until what has this text has the focus.
    """
    for _ in range(80):
        await page.keyboard.press(key)
        if name == await page.evaluate("document.activeElement.textContent"):
            return
    raise AssertionError(f"{name} is not reached by {key}")


async def test_the_key_stays_in_the_tab(browser: Browser, cloud: LocalCloud) -> None:
    """
    It is asked for once, is in no address and no cookie, and gone when somebody forgets it. A wrong one is refused.
    """
    async with visiting(browser, cloud, has_key=False) as visit:
        visit.expected.append("status of 401")
        page = await visit.open()
        assert await violations(page) == []
        await page.get_by_label("Function key").fill("wrong")
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("alert")).to_have_text("The app did not accept that function key.")
        await page.get_by_label("Function key").fill(f" {cloud.host.function_key} ")
        await page.keyboard.press("Enter")
        await expect(page.locator(".tile")).to_have_count(5)
        await page.reload()
        await expect(page.locator(".tile")).to_have_count(5)
        assert await page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 1, ""]
        await page.get_by_role("button", name="Forget the key").click()

        await expect(page.get_by_label("Function key")).to_be_visible()
        assert await page.evaluate("sessionStorage.length") == 0


async def test_an_app_that_cannot_be_reached_is_said_and_what_was_read_stays(visit: Visit) -> None:
    """
    It is tried again by itself, and the banner goes when it answers.
    """
    await visit.page.clock.install()
    visit.expected.append("ERR_INTERNET_DISCONNECTED")
    page = await visit.open()
    await expect(page.locator(".tile")).to_have_count(5)

    await visit.context.set_offline(True)
    await page.clock.fast_forward(60_000)
    await expect(page.get_by_text("The app cannot be reached.")).to_be_visible()
    await expect(page.locator(".tile")).to_have_count(5)
    await visit.context.set_offline(False)
    await page.clock.fast_forward(60_000)

    await expect(page.get_by_text("The app cannot be reached.")).to_have_count(0)


async def test_an_error_is_shown_in_the_apps_own_words(visit: Visit) -> None:
    """
    Also where there never was anything to show: a secret in a vault that the app does not know.
    """
    visit.expected.append("status of 403")
    page = await visit.open("#/secrets/other.vault.azure.net/name")

    await expect(page.get_by_role("alert")).to_contain_text("ROTATION_VAULTS")
    await settled(page)


async def test_an_app_that_only_observes_says_so_on_top(visit: Visit) -> None:
    """
    Health has the mode; whatever is down is named.
    """
    await answer(
        visit.page, "**/api/health", {"status": "Unhealthy", "checks": {"vaults": "no_answer", "mode": "observing"}}
    )
    page = await visit.open()

    await expect(page.get_by_text("The app only observes.")).to_be_visible()
    await expect(page.locator(".tile").last).to_contain_text("Down")
    await expect(page.locator(".tile").last).to_contain_text("Key Vault (no answer)")


async def test_an_app_without_secrets_says_how_to_begin(visit: Visit) -> None:
    """
    An empty list is no error.
    """
    await answer(visit.page, "**/api/secrets?*", {"secrets": [], "asOf": "2026-01-01T00:00:00Z", "continuation": None})
    page = await visit.open()

    await expect(page.get_by_text("No secret is managed yet.")).to_be_visible()
    await expect(page.get_by_text("Nothing needs you.")).to_be_visible()
    assert await violations(page) == []


async def test_ten_thousand_secrets_are_a_few_rows_in_the_document(visit: Visit) -> None:
    """
    The list is read page by page, every row is reached by scrolling, and the others are not in the document.
    """
    await with_pages(visit.page, 10_000)
    page = await visit.open()
    await expect(page.locator(".tile").first).to_contain_text("10,000")

    table = page.get_by_role("table")
    await expect(table).to_have_attribute("aria-rowcount", "10001")
    for name in ("key-05000", "key-09999"):
        row = int(name[-5:])
        await page.evaluate("top => scrollTo(0, top)", await table.evaluate("t => t.offsetTop") + 60 * row)
        await expect(table.get_by_role("link", name=name, exact=True)).to_be_visible()
        assert await page.locator(".body > *").count() < 80
    await page.get_by_label("Search secrets").fill("key-04321")
    await expect(table.get_by_role("link", name="key-04321")).to_be_visible()


async def test_times_are_those_of_the_browsers_language_and_place(browser: Browser, cloud: LocalCloud) -> None:
    """
    The record says 12:00 in UTC; in Tokyo, in German, it is 21:00.
    """
    async with visiting(browser, cloud, locale="de-DE", time_zone="Asia/Tokyo") as visit:
        record = json.loads((Path(__file__).parent / "rotation.json").read_text())
        await answer(visit.page, "**/api/rotations/*", record)
        page = await visit.open(f"#/rotations/{record['id']}")

        await expect(page.get_by_text("01.03.2026, 21:00:00").first).to_be_visible()


async def test_names_and_messages_are_text_and_never_markup(visit: Visit) -> None:
    """
    Whatever a tag, a reason or a message of Azure holds.
    """
    evil = "<img src=x onerror=\"document.title='owned'\">"
    item = item_of(1) | {"status": "Misconfigured", "why": evil, "target": f"/subscriptions/{evil}"}
    await answer(visit.page, "**/api/secrets?*", {"secrets": [item], "asOf": None, "continuation": None})
    page = await visit.open()

    await expect(page.locator(".need")).to_contain_text("<img src=x onerror=")
    assert await page.locator("main img").count() == 0
    assert await page.title() == "Azure Key Rotator"


async def with_pages(page: Page, count: int) -> None:
    """
    Answer in the app's place with so many secrets, in pages as the app has them.
    """

    async def fulfil(route: Route) -> None:
        query = parse_qs(urlsplit(route.request.url).query)
        begin, top = int(query.get("continuation", ["0"])[0]), int(query["top"][0])
        end = min(count, begin + top)
        secrets = [item_of(each) for each in range(begin, end)]
        await route.fulfill(json={"secrets": secrets, "asOf": None, "continuation": str(end) if end < count else None})

    await page.route("**/api/secrets?*", fulfil)


async def test_what_a_person_is_about_to_press_stays_where_it_is(visit: Visit) -> None:
    """
    The view is read again and again; what looks the same is left alone, and times run on.
    """
    await visit.page.clock.install()
    page = await visit.open(view_of(visit.cloud, "partner-key"))
    button = page.get_by_role("button", name="It was a false alarm")
    await button.evaluate("button => { button.marked = true; button.focus(); }")
    before = await page.get_by_role("timer").inner_text()

    async with page.expect_response("**/api/rotations/*"):
        await page.clock.fast_forward(60_000)
    await page.clock.run_for(2_000)

    await expect(page.get_by_role("timer")).not_to_have_text(before)
    assert await button.evaluate("button => button.marked && button === document.activeElement")


async def test_the_skip_link_leads_to_the_content(visit: Visit) -> None:
    """
    It is the first stop of the keyboard, and its address is not a view.
    """
    page = await visit.open("#/calendar")

    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")

    await expect(page.locator("main")).to_be_focused()
    await expect(page.get_by_role("heading", name="Calendar")).to_be_visible()


async def test_the_form_for_the_key_stays_until_there_is_one(browser: Browser, cloud: LocalCloud) -> None:
    """
    Escape would leave a page that waits for ever.
    """
    async with visiting(browser, cloud, has_key=False) as visit:
        page = await visit.open()
        for _ in range(3):
            await page.keyboard.press("Escape")
        await page.get_by_label("Function key").fill("schlüssel")
        await page.keyboard.press("Enter")
        assert not await page.get_by_label("Function key").evaluate("field => field.checkValidity()")
        await page.get_by_label("Function key").fill(cloud.host.function_key)
        await page.keyboard.press("Enter")

        await expect(page.locator(".tile")).to_have_count(5)


async def test_what_waits_for_long_is_not_asked_about_all_the_time(visit: Visit) -> None:
    """
    The clock of a leaked key runs by itself.
    """
    await visit.page.clock.install()
    page = await visit.open(view_of(visit.cloud, "partner-key"))
    await expect(page.get_by_role("timer")).to_be_visible()
    await page.wait_for_load_state("networkidle")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    await page.clock.run_for(10_000)

    assert not asked
