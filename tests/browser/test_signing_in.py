"""
People who sign in with Microsoft Entra: App Service's part is done by the local Functions host.
"""

import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, Route, expect

from localcloud.azure.certificates import CertificateAuthority
from localcloud.azure.directory import ADA, GRACE, JOAN, Member
from localcloud.cloud import LocalCloud
from localcloud.playground import furnish
from tests.browser.visit import Visit, view_of, visiting


@pytest.fixture(scope="module")
async def entra(ca: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalCloud]:
    """
    Yield a cloud whose app asks people to sign in.
    """
    folder = tmp_path_factory.mktemp("page-entra")
    async with LocalCloud(
        folder, ca=ca, is_impatient=True, ROTATION_VERIFY_DAYS="0", ROTATION_AUTHENTICATION="entra"
    ) as cloud:
        await furnish(cloud)
        yield cloud


@pytest.fixture
async def stranger(browser: Browser, entra: LocalCloud) -> AsyncIterator[Visit]:
    """
    Yield a visit of somebody who has not signed in.
    """
    async with visiting(browser, entra, has_key=False) as visit:
        visit.expected.append("status of 401")
        yield visit


async def sign_in(visit: Visit, person: Member, view: str = "#/") -> Page:
    """
    Open a view as a stranger, and sign in as somebody where that leads.
    """
    page = visit.page
    await page.goto(f"{visit.cloud.host.url}/api/dashboard{view}")
    await page.get_by_role("button", name=person.name, exact=True).click()
    # With the view or still without it: the page puts it back when it has loaded.
    await page.wait_for_url(re.compile(rf"{re.escape(visit.cloud.host.url)}/api/dashboard(#|$)"))
    return page


async def test_a_stranger_signs_in_and_comes_back_to_the_same_view(stranger: Visit) -> None:
    """
    The page needs no function key, and its files no sign-in; what they show does.
    """
    page = await sign_in(stranger, ADA, view_of(stranger.cloud, "batch-key"))

    await expect(page.get_by_role("heading", name="batch-key")).to_be_visible()
    await expect(page.get_by_role("button", name="Rotate", exact=True)).to_be_visible()
    assert await page.evaluate("sessionStorage.getItem('function-key')") is None


async def test_a_rotation_is_on_record_with_the_name_of_who_asked(stranger: Visit) -> None:
    """
    A browser's cookie alone changes nothing: the page sends the header that no other site can.
    """
    page = await sign_in(stranger, ADA, view_of(stranger.cloud, "openai-key"))

    await page.get_by_role("button", name="Rotate", exact=True).click()
    await page.get_by_role("dialog").get_by_role("button", name="Regenerate Secondary").click()
    await page.get_by_role("dialog").get_by_role("link", name="Show this rotation").click()

    await expect(page.locator("dl").filter(has_text="Asked for by")).to_contain_text(str(ADA.name))


async def test_who_may_only_read_is_told_which_role_is_missing(stranger: Visit) -> None:
    """
    In the app's words, and nothing has changed.
    """
    stranger.expected.append("status of 403")
    page = await sign_in(stranger, GRACE, view_of(stranger.cloud, "batch-key"))

    await page.get_by_role("button", name="Pause").click()
    await page.get_by_role("dialog").get_by_role("button", name="Pause").click()

    await expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("Rotations.Operate")
    await page.keyboard.press("Escape")
    await expect(page.locator("header").get_by_text("Due")).to_be_visible()


async def test_who_has_no_role_sees_no_secret(stranger: Visit) -> None:
    """
    The page says which one to ask for, and does not go round in circles.
    """
    stranger.expected.append("status of 403")
    page = await sign_in(stranger, JOAN)

    await expect(page.get_by_text("Rotations.Read")).to_be_visible()
    await expect(page.get_by_text("The secrets could not be read.")).to_be_visible()
    await expect(page.locator("main")).not_to_contain_text("batch-key")


async def test_a_session_that_ends_takes_nobody_away_from_what_they_do(stranger: Visit) -> None:
    """
    The page says so, and leads to the sign-in and back when the person wants to.
    """
    await stranger.page.clock.install()
    page = await sign_in(stranger, ADA, "#/calendar")
    await expect(page.get_by_text("in the next 90 days")).to_be_visible()
    await stranger.context.clear_cookies()

    await page.clock.fast_forward(60_000)
    await expect(page.get_by_text("Your session has ended.")).to_be_visible()
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("button", name=ADA.name, exact=True).click()

    await expect(page.get_by_role("heading", name="Calendar")).to_be_visible()
    await expect(page.get_by_role("link", name="Sign out")).to_be_visible()


async def test_who_is_never_accepted_is_not_sent_round_and_round(stranger: Visit) -> None:
    """
    A browser may keep no cookie: the page leaves by itself once, and then only when it is asked to.
    """
    await stranger.page.clock.install()

    async def refuse(route: Route) -> None:
        await route.fulfill(status=401)

    await stranger.page.route("**/api/secrets*", refuse)
    page = await sign_in(stranger, ADA)
    await expect(page.get_by_text("the app still does not know you")).to_be_visible()
    for _ in range(3):
        await page.clock.fast_forward(60_000)

    await expect(page.get_by_text("the app still does not know you")).to_be_visible()
    await expect(page.get_by_role("button", name="Sign in")).to_be_visible()


async def test_signing_out_ends_the_session(stranger: Visit) -> None:
    """
    Also right after signing in: the next view leads to the sign-in again.
    """
    page = await sign_in(stranger, ADA)
    await expect(page.locator(".tile")).to_have_count(5)

    await page.get_by_role("link", name="Sign out").click()

    await expect(page.get_by_role("button", name=ADA.name, exact=True)).to_be_visible()
