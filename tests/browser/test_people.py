"""
What a person does on the page, in the order of a morning: look, mend, rotate, and see what comes.

Each test goes on where the one before has ended.
"""

import re
from datetime import datetime, timedelta
from urllib.parse import quote
from zoneinfo import ZoneInfo

import aiohttp
from playwright.async_api import Locator, Page, expect

from localcloud.azure.arm import group_id
from localcloud.azure.cloud import RESOURCE_GROUP, SUBSCRIPTION
from localcloud.cloud import LocalCloud
from localcloud.kinds.kind import Resource
from tests.browser.visit import Visit, view_of

WHOLE_MINUTE = 60_000  # Milliseconds: longer than the page waits between two looks.
PARTNERS = "partners"


def account(name: str) -> str:
    """
    Return the ARM id of a Batch account.
    """
    return f"{group_id(SUBSCRIPTION, RESOURCE_GROUP)}/providers/Microsoft.Batch/batchAccounts/{name}"


async def look(cloud: LocalCloud) -> None:
    """
    Let the app compare all secrets, as another person asks it to.
    """
    headers = {"x-functions-key": cloud.host.function_key}
    async with (
        aiohttp.ClientSession(cloud.host.url, headers=headers) as api,
        api.get("/api/secrets", params={"refresh": "true"}) as answer,
    ):
        assert answer.ok


async def overview(visit: Visit) -> Page:
    """
    Open the first view, and wait until all secrets are read.
    """
    page = await visit.open()
    await expect(
        page.get_by_role("heading", name=re.compile(r"^(\d+ secrets? needs? you|What needs you)$"))
    ).to_be_visible()
    await expect(page.get_by_role("table", name="Secrets")).to_be_visible()
    await expect(page.locator(".tile").first).not_to_contain_text("+")
    return page


def need(page: Page, secret: str) -> Locator:
    """
    Return the card of a secret that needs a person.
    """
    return page.locator(".need").filter(has=page.get_by_role("link", name=secret, exact=True))


async def test_what_needs_a_person_is_on_top_with_why_and_what_to_do(visit: Visit) -> None:
    """
    The most urgent first: clients of a drifted secret may be failing now.
    """
    page = await overview(visit)

    found = [name.split()[0] for name in await page.locator(".need h3").all_inner_texts()]

    assert found == ["render-key", "partner-key", "search-key", "report-key", "archive-key"]
    for label in ("Store a live key", "Resume", "Rotate now", "Correct it", "Put under management"):
        await expect(page.get_by_role("button", name=re.compile(f"^{label}: "))).to_be_visible()
    await expect(need(page, "render-key")).to_contain_text("holds neither key of renders")


async def test_the_figures_count_what_the_list_holds(visit: Visit) -> None:
    """
    Managed secrets, rotations to come and to look back on, failures, and health.
    """
    page = await overview(visit)

    tiles = await page.locator(".tile").all_inner_texts()

    assert [tile.split("\n")[0] for tile in tiles] == ["9", "5", "1", "1", "Healthy"]


async def test_a_drifted_secret_is_given_a_live_key(visit: Visit) -> None:
    """
    The dialog says first what will be done, and that no key is regenerated.
    """
    page = await overview(visit)

    await page.get_by_role("button", name="Store a live key: render-key").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("No key is regenerated")
    await dialog.get_by_role("button", name="Store the key").click()
    await expect(dialog).to_contain_text("The new version of render-key holds Primary")
    await expect(need(page, "render-key")).to_have_count(0)
    await dialog.get_by_role("link", name="Show this rotation").click()

    await expect(page.locator(".timeline")).to_contain_text("No key was regenerated")


async def test_a_misconfigured_secret_is_corrected(visit: Visit) -> None:
    """
    Its validity is out of bounds; the browser refuses another one that is, too.
    """
    page = await overview(visit)

    await page.get_by_role("button", name="Correct it: report-key").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("tag ValidityPeriodDays is '7'")
    days = dialog.get_by_label("Validity of new versions, in days")
    await days.fill("30")
    await dialog.get_by_role("button", name="Change").click()
    assert not await days.evaluate("field => field.checkValidity()")
    await days.fill("90")
    await dialog.get_by_role("button", name="Change").click()

    await expect(need(page, "report-key")).to_have_count(0)
    await expect(page.get_by_text("report-key is changed.")).to_be_visible()


async def test_a_failed_rotation_is_repeated_when_its_cause_is_gone(visit: Visit) -> None:
    """
    The card says how it failed and what to do; rotated, the secret needs nobody.
    """
    page = await overview(visit)
    await expect(need(page, "search-key")).to_contain_text("provider_refused")

    await page.get_by_role("button", name="Rotate now: search-key").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("Clients notice nothing")
    await dialog.get_by_label("Reason").fill("<b>the lock</b> is gone")
    await dialog.get_by_role("button", name="Regenerate Secondary").click()
    await expect(dialog).to_contain_text("The new version of search-key")
    await dialog.get_by_role("link", name="Show this rotation").click()

    await expect(page.get_by_role("heading", name="Rotation", exact=True)).to_be_focused()
    # What somebody typed is text and never markup.
    await expect(page.get_by_text("<b>the lock</b> is gone")).to_be_visible()
    await expect(page.locator(".timeline")).to_contain_text("Saw the new key work")


async def test_a_secret_that_is_nearly_managed_is_put_under_management(visit: Visit) -> None:
    """
    Its target is named once more. A target that is none is explained in the API's own words, and nothing is lost.
    """
    page = await overview(visit)
    visit.expected.append("status of 400")

    await page.get_by_role("button", name="Put under management: archive-key").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Target").fill("/subscriptions/none")
    await dialog.get_by_role("button", name="Manage", exact=True).click()
    await expect(dialog.get_by_role("alert")).to_contain_text("target")
    await dialog.get_by_role("button", name="Close").click()
    await page.get_by_role("button", name="Put under management: archive-key").click()
    await dialog.get_by_label("Target").fill(account("archive"))
    await dialog.get_by_role("button", name="Manage", exact=True).click()

    await expect(dialog).to_contain_text("archive-key is managed")
    await expect(dialog).to_contain_text("Primary")
    await page.keyboard.press("Escape")
    await expect(need(page, "archive-key")).to_have_count(0)


async def test_a_leak_is_followed_until_nobody_holds_the_key(visit: Visit) -> None:
    """
    The view counts down, names who holds the key still, and lets the holder be resumed and moved.
    """
    page = await visit.open(view_of(visit.cloud, "partner-key"))

    await expect(page.get_by_role("heading", name="A leaked key waits to die")).to_be_visible()
    before = await page.get_by_role("timer").inner_text()
    assert re.fullmatch(r"\d\d:\d\d", before)
    await expect(page.get_by_role("timer")).not_to_have_text(before)
    await expect(page.get_by_text("1 secret holds it still.")).to_be_visible()
    await page.get_by_role("button", name="Resume").click()
    await expect(
        page.get_by_text("partner-key is no longer paused. It moves to the other key within five minutes.")
    ).to_be_visible()
    await page.get_by_role("button", name="Rotate", exact=True).click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("The live key Secondary of partners is stored in partner-key")
    await dialog.get_by_role("button", name="Store the key").click()
    await expect(dialog).to_contain_text("The new version of partner-key holds Secondary")
    await page.keyboard.press("Escape")

    await expect(page.get_by_text("Leaked key alive")).to_have_count(0)
    await page.get_by_role("link", name="partners").first.click()
    await expect(page.get_by_text("No managed secret holds it any more.")).to_be_visible()


async def test_a_false_alarm_is_called_off(visit: Visit) -> None:
    """
    The key lives on, as the dialog says, and the view of the target waits for nothing any more.
    """
    page = await visit.open(f"#/targets/{quote(account(PARTNERS), safe='')}")

    await page.get_by_role("button", name="It was a false alarm").click()
    await expect(page.get_by_role("dialog")).to_contain_text("The reported key stays alive")
    await page.get_by_role("button", name="Keep the key alive").click()

    await expect(page.get_by_text("The revocation is cancelled.")).to_be_visible()
    await expect(page.get_by_role("heading", name="A leaked key waits to die")).to_have_count(0)
    await expect(page.get_by_text("somebody cancelled it")).to_be_visible()


async def test_nothing_needs_anyone_in_the_end(visit: Visit) -> None:
    """
    Then the page says so, with the time of the last look.
    """
    page = await overview(visit)

    await expect(page.get_by_text("Nothing needs you.")).to_be_visible()
    await expect(page.get_by_text("The app last looked through its vaults")).to_be_visible()


async def test_a_leaked_key_is_reported_in_two_steps(visit: Visit) -> None:
    """
    First who holds it, then when it dies; the countdown follows.
    """
    page = await visit.open(view_of(visit.cloud, "openai-key"))

    await page.get_by_role("button", name="The key has leaked").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("1 secret holds Primary of myopenai")
    await dialog.get_by_role("button", name="Next").click()
    await dialog.get_by_label("One day later").check()
    await dialog.get_by_label("Reason").fill("seen in a log")
    await dialog.get_by_role("button", name="Report the leak").click()

    await expect(page.get_by_role("heading", name="myopenai")).to_be_visible()
    await expect(page.get_by_role("timer")).to_have_text(re.compile(r"^(1 d 00:00|23:59):\d\d$"))
    await expect(page.locator(".slot").filter(has_text="Secondary")).to_contain_text("openai-key")
    await expect(page.get_by_text("No managed secret holds it any more.")).to_be_visible()


async def test_a_secret_is_paused_changed_and_verified(visit: Visit) -> None:
    """
    Each says in words what it does, and what came of it.
    """
    page = await visit.open(view_of(visit.cloud, "batch-key"))

    await page.get_by_role("button", name="Pause").click()
    await expect(page.get_by_role("dialog")).to_contain_text("Nothing rotates batch-key until somebody resumes it")
    await page.get_by_role("dialog").get_by_role("button", name="Pause").click()
    await expect(page.locator("header").get_by_text("Paused")).to_be_visible()
    await page.get_by_role("button", name="Resume").click()
    await expect(page.locator("header").get_by_text("Due")).to_be_visible()
    await page.get_by_role("button", name="Verify").click()
    await expect(page.get_by_text("batch-key holds a live key: Primary.")).to_be_visible()
    await page.get_by_role("button", name="Change").click()
    await page.get_by_role("dialog").get_by_label("Strategy").select_option("InPlace")
    await page.get_by_role("dialog").get_by_role("button", name="Change").click()
    await expect(page.get_by_text("batch-key is changed.")).to_be_visible()
    await page.get_by_role("button", name="Rotate", exact=True).click()

    await expect(page.get_by_role("dialog")).to_contain_text("they fail until they read the new version")


async def test_a_secret_is_made_that_no_person_has_seen(visit: Visit) -> None:
    """
    The app stores its first version itself.
    """
    page = await overview(visit)

    await page.get_by_role("button", name="Manage another secret").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name of the secret").fill("batch-key-two")
    await dialog.get_by_label("Target").fill(account("mybatch"))
    await dialog.get_by_label("Create the secret if it does not exist").check()
    await dialog.get_by_role("button", name="Manage", exact=True).click()
    await expect(dialog).to_contain_text("batch-key-two is managed")
    await dialog.get_by_role("button", name="Close").click()

    await expect(page.get_by_role("table").get_by_role("link", name="batch-key-two")).to_be_visible()


async def test_a_secret_is_let_go_of(visit: Visit) -> None:
    """
    It is gone from the list, and keeps its key.
    """
    page = await visit.open(view_of(visit.cloud, "batch-key-two"))

    await page.get_by_role("button", name="Stop managing").click()
    await page.get_by_role("dialog").get_by_role("button", name="Stop managing").click()

    await expect(page.get_by_text("batch-key-two is not managed any more.")).to_be_visible()
    await expect(page.get_by_role("table").get_by_role("link", name="batch-key", exact=True)).to_be_visible()
    await expect(page.get_by_role("table").get_by_role("link", name="batch-key-two")).to_have_count(0)


async def test_a_secret_is_found_by_name_status_and_kind(visit: Visit) -> None:
    """
    The address holds what is looked for, so that a link shows the same.
    """
    page = await overview(visit)
    rows = page.get_by_role("table").locator(".body .name")

    await page.get_by_label("Search secrets").fill("PARTNER")
    await expect(rows).to_have_text(["partner-key", "partner-key-nightly"])
    await page.get_by_label("Search secrets").fill("")
    await page.get_by_label("Kind").select_option(label="Storage/storageAccounts")
    await expect(rows).to_have_text(["storage-connection"])
    await page.get_by_label("Kind").select_option("")
    await page.get_by_label("Status").select_option(label="Due")
    await expect(rows).to_have_text(["batch-key", "storage-connection", "workflow-url"])
    await page.get_by_label("Search secrets").fill("no such name")
    await expect(page.get_by_text("No secret is like that.")).to_be_visible()
    await page.get_by_role("button", name="Show all secrets").click()
    await page.get_by_role("button", name="Expires").click()
    await page.get_by_role("button", name="Expires").click()
    await expect(page.get_by_role("columnheader", name="Expires")).to_have_attribute("aria-sort", "descending")
    await page.reload()

    await expect(page.get_by_role("columnheader", name="Expires")).to_have_attribute("aria-sort", "descending")
    await page.get_by_label("Group by target").check()
    await expect(page.locator(".group").filter(has_text="partners")).to_contain_text("2 secrets")


async def test_rotations_are_listed_and_one_shows_its_steps(visit: Visit) -> None:
    """
    Newest first, by state; a failed one has its error and the remedy.
    """
    page = await visit.open("#/rotations")

    await page.get_by_label("State").select_option(label="Failed")
    await page.get_by_role("link", name="Failed: show this rotation of search-key").click()

    await expect(page.get_by_text("provider_refused")).to_be_visible()
    await expect(page.get_by_text("Grant the app its role on the target")).to_be_visible()
    await expect(page.locator(".timeline")).to_contain_text("Chose Secondary; the secret holds Primary")


async def test_the_calendar_shows_what_is_rotated_when(visit: Visit) -> None:
    """
    For ninety days, in days of the browser's time zone.
    """
    page = await visit.open("#/calendar")

    await expect(page.get_by_text(re.compile(r"\d+ rotations in the next 90 days\."))).to_be_visible()
    in_sixty_days = datetime.now(ZoneInfo("Europe/Berlin")) + timedelta(days=60)
    card = page.locator(".day").filter(has_text=f"{in_sixty_days.day} {in_sixty_days:%B}")
    await expect(card).to_contain_text("search-key")


async def test_a_secret_that_drifts_is_shown_without_a_reload(visit: Visit, storage: Resource) -> None:
    """
    Somebody regenerates the key by hand, and the app looks; the page asks again by itself.
    """
    await visit.page.clock.install()
    page = await overview(visit)
    await expect(need(page, "storage-connection")).to_have_count(0)
    storage.regenerate("Primary")
    await look(visit.cloud)

    await page.clock.fast_forward(WHOLE_MINUTE)

    await expect(need(page, "storage-connection")).to_contain_text("Drifted")
