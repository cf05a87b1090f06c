"""
What goes wrong between a person and the app: lost answers, two people at once, a hasty key.
"""

import re
from typing import Any

from playwright.async_api import Browser, Page, Route, expect

from localcloud.cloud import LocalCloud
from tests.browser.visit import Visit, answer, item_of, view_of, visiting

ROTATIONS = re.compile(r"/api/rotations$")


async def plan(visit: Visit, secret: str) -> Page:
    """
    Open the dialog that shows what a rotation would do.
    """
    page = await visit.open(view_of(visit.cloud, secret))
    await page.get_by_role("button", name="Rotate", exact=True).click()
    await expect(page.get_by_role("dialog")).to_contain_text("Clients notice nothing")
    return page


async def versions_of(visit: Visit, secret: str) -> int:
    """
    Return how many versions a secret has.
    """
    return len(visit.cloud.vault.versions(secret))


async def test_of_two_people_with_the_same_plan_one_rotates(visit: Visit, browser: Browser, cloud: LocalCloud) -> None:
    """
    The second one's plan is about a version that is gone: its other key, which clients have just read, stays alive.
    """
    page = await plan(visit, "batch-key")
    async with visiting(browser, cloud) as other:
        second = await plan(other, "batch-key")
        await page.get_by_role("dialog").get_by_role("button", name="Regenerate Secondary").click()
        await expect(page.get_by_role("dialog")).to_contain_text("The new version of batch-key holds Secondary")
        await second.get_by_role("dialog").get_by_role("button", name="Regenerate Secondary").click()

        await expect(second.get_by_role("dialog")).to_contain_text("Nothing was changed")
    assert await versions_of(visit, "batch-key") == 2


async def test_a_lost_answer_is_asked_for_again_and_rotates_nothing_twice(visit: Visit) -> None:
    """
    The dialog says that it may be done, and asks for the same rotation with the same key.
    """
    visit.expected.append("ERR_CONNECTION_RESET")
    page = await plan(visit, "openai-key")

    async def lose(route: Route) -> None:
        await route.fetch()
        await route.abort("connectionreset")

    await page.route(ROTATIONS, lose, times=1)
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Regenerate Secondary").click()
    await expect(dialog).to_contain_text("It may have been done all the same.")
    await dialog.get_by_role("button", name="Try again").click()

    await expect(dialog).to_contain_text("The new version of openai-key holds Secondary")
    assert await versions_of(visit, "openai-key") == 2


async def test_a_button_that_is_pressed_twice_asks_once(visit: Visit) -> None:
    """
    Whatever a hasty hand does.
    """
    asked: list[str] = []
    page = await plan(visit, "workflow-url")
    page.on("request", lambda request: asked.append(request.method) if ROTATIONS.search(request.url) else None)

    await page.get_by_role("dialog").locator("form").evaluate("form => { form.requestSubmit(); form.requestSubmit(); }")
    await expect(page.get_by_role("dialog")).to_contain_text("The new version of workflow-url")

    assert asked.count("POST") == 1


async def test_enter_does_what_the_main_button_does(visit: Visit) -> None:
    """
    And never cancels what somebody has just given a reason for.
    """
    page = await plan(visit, "storage-connection")

    await page.get_by_label("Reason").fill("quarterly")
    await page.keyboard.press("Enter")

    await expect(page.get_by_role("dialog")).to_contain_text("The new version of storage-connection")


async def test_escape_hides_nothing_that_is_under_way(visit: Visit) -> None:
    """
    However often it is pressed, the outcome is shown.
    """
    page = await plan(visit, "search-key")

    async def slow(route: Route) -> None:
        await page.wait_for_timeout(1_000)
        await route.continue_()

    await page.route(ROTATIONS, slow)
    await page.get_by_role("dialog").get_by_role("button", name=re.compile("Regenerate")).click()
    for _ in range(4):
        await page.keyboard.press("Escape")

    await expect(page.get_by_role("dialog")).to_contain_text("The new version of search-key")


async def test_a_dialog_says_in_which_vault_and_for_what(visit: Visit) -> None:
    """
    Another vault may have a secret of the same name.
    """
    page = await visit.open(view_of(visit.cloud, "partner-key-nightly"))

    await page.get_by_role("button", name="Rotate", exact=True).click()

    await expect(page.get_by_role("dialog")).to_contain_text(visit.cloud.vault.uri.removeprefix("https://"))
    await expect(page.get_by_role("dialog")).to_contain_text("/batchAccounts/partners")


async def test_a_leak_counts_those_who_hold_the_key_and_no_others(visit: Visit) -> None:
    """
    The other secret of the target holds the other key.
    """
    page = await visit.open(view_of(visit.cloud, "partner-key-nightly"))

    await page.get_by_role("button", name="The key has leaked").click()

    await expect(page.get_by_role("dialog")).to_contain_text("1 secret holds Secondary of partners")


async def test_a_secret_with_a_leaked_key_promises_no_time_to_its_clients(visit: Visit) -> None:
    """
    The key that it moves away from is about to die.
    """
    page = await visit.open(view_of(visit.cloud, "partner-key"))
    await page.get_by_role("button", name="Resume").click()

    await page.get_by_role("button", name="Rotate", exact=True).click()

    await expect(page.get_by_role("dialog")).to_contain_text(
        "was reported as leaked. It dies some time after the last secret has moved"
    )
    await expect(page.get_by_role("dialog")).not_to_contain_text("Clients notice nothing")


async def test_a_rotation_without_waiting_says_who_fails(visit: Visit) -> None:
    """
    What is too soon is planned again only when somebody asks for it.
    """
    too_soon, at_once = plan_of("Skipped: too_soon"), plan_of("Completed")

    async def rehearse(route: Route) -> None:
        await route.fulfill(json=at_once if "ignoreGrace" in (route.request.post_data or "") else too_soon)

    page = await visit.open(view_of(visit.cloud, "report-key"))
    await page.route(ROTATIONS, rehearse)
    await page.get_by_role("button", name="Rotate", exact=True).click()
    await expect(page.get_by_role("dialog")).to_contain_text("clients may still use the key that it would regenerate")
    await page.get_by_role("button", name="Plan it without waiting").click()

    await expect(page.get_by_role("dialog")).to_contain_text("Clients that still use the key from before")


async def test_an_older_answer_does_not_stand_under_a_newer_question(visit: Visit) -> None:
    """
    Somebody changes the filter while the list is being read.
    """
    page = await visit.open("#/rotations")
    await expect(page.locator(".list > li").first).to_be_visible()

    async def slow(route: Route) -> None:
        await page.wait_for_timeout(700)
        await route.continue_()

    await page.route(re.compile(r"/api/rotations\?"), slow)
    await page.get_by_label("State").select_option(label="Failed")
    await page.get_by_label("State").select_option(label="Scheduled")

    await expect(page.locator(".list .pill").first).to_have_text("Scheduled")
    assert set(await page.locator(".list .pill").all_inner_texts()) == {"Scheduled"}


async def test_what_an_action_answered_is_not_overwritten_by_an_older_list(visit: Visit) -> None:
    """
    The list was asked for before, and comes afterwards.
    """
    page = await visit.open()
    await expect(page.locator(".tile").first).not_to_contain_text("+")
    await visit.page.reload()
    before: list[Route] = []

    async def hold(route: Route) -> None:
        before.append(route)

    await page.get_by_role("button", name="Correct it: report-key").click()
    await page.route(re.compile(r"/api/secrets\?"), hold)
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Validity of new versions, in days").fill("90")
    old = [await route.fetch() for route in before]
    await dialog.get_by_role("button", name="Change").click()
    await expect(page.get_by_text("report-key is changed.")).to_be_visible()
    for route, response in zip(before, old, strict=True):
        await route.fulfill(response=response)
    await page.wait_for_load_state("networkidle")

    assert before
    await expect(page.get_by_role("button", name="Correct it: report-key")).to_have_count(0)


async def test_a_secret_that_is_gone_leaves_the_list(visit: Visit) -> None:
    """
    Somebody else has deleted it.
    """
    await visit.page.clock.install()
    both = {"secrets": [item_of(1), item_of(2)], "asOf": None, "continuation": None}
    await answer(visit.page, "**/api/secrets?*", both)
    page = await visit.open()
    await expect(page.locator(".table .name")).to_have_count(2)

    await answer(visit.page, "**/api/secrets?*", both | {"secrets": [item_of(2)]})
    await page.clock.fast_forward(60_000)

    await expect(page.locator(".table .name")).to_have_text(["key-00002"])


def plan_of(end: str) -> dict[str, Any]:
    """
    Return a plan as the app answers a dry run.
    """
    steps = [{"step": "regenerate", "detail": "regenerate Secondary"}] if end == "Completed" else []
    return {
        "state": "Planned",
        "target": item_of(1)["target"],
        "keyName": "Secondary",
        "previousKeyName": "Primary",
        "secret": {"vault": "https://my-vault.vault.azure.net", "name": "key", "version": "1"},
        "adopted": False,
        "error": None,
        "steps": [*steps, {"step": "end", "detail": end}],
    }
