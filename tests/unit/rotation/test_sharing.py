import asyncio
from datetime import timedelta

import pytest

from rotation.overview import sharing as module
from rotation.overview.sharing import Sharing
from rotation.ports.ledger import Bound
from rotation.vocabulary.errors import Unavailable
from rotation.vocabulary.limits import BINDINGS_KEPT_FOR, TARGETS_ASKED_ONE_BY_ONE
from rotation.vocabulary.secret import SecretId
from tests.twins.clock import HandClock
from tests.twins.faults import Faults
from tests.twins.ledger import MemoryLedger

VAULT = "https://my-vault.vault.azure.net"
MANY = [f"/subscriptions/s/accounts/a{number}" for number in range(TARGETS_ASKED_ONE_BY_ONE + 1)]


class Setting:
    """
    A ledger that counts what it is asked, and what a page knows of it.
    """

    def __init__(self) -> None:
        self.faults = Faults()
        self.clock = HandClock()
        self.ledger = MemoryLedger(self.faults)
        self.sharing = Sharing(self.ledger, self.clock)

    async def names(self, targets: list[str]) -> dict[str, list[str]]:
        """
        Return the names of the secrets of each target.
        """
        return {target: names(bound) for target, bound in (await self.sharing.of(targets)).items()}


def names(bound: list[Bound]) -> list[str]:
    """
    Return the names of bound secrets.
    """
    return [each.secret.name for each in bound]


@pytest.fixture
async def setting() -> Setting:
    """
    Return a ledger in which every second target has a secret.
    """
    setting = Setting()
    for number, target in enumerate(MANY[::2]):
        await setting.ledger.bind(target, SecretId(VAULT, f"key-{number}"))
    return setting


async def test_many_targets_have_the_secrets_that_each_of_them_has(setting: Setting) -> None:
    """
    Whether they are read at once or one by one; a target without a secret has none.
    """
    assert await setting.names(MANY) == {target: names(await setting.ledger.bound_secrets(target)) for target in MANY}


async def test_all_secrets_of_a_target_are_shown_however_they_are_read(setting: Setting) -> None:
    """
    The last one that was bound is not the only one.
    """
    await setting.ledger.bind(MANY[0], SecretId(VAULT, "second"))

    assert sorted((await setting.names(MANY))[MANY[0]]) == ["key-0", "second"]
    assert sorted((await setting.names([MANY[0]]))[MANY[0]]) == ["key-0", "second"]


async def test_pages_that_are_asked_for_at_the_same_time_read_once(setting: Setting) -> None:
    """
    Several people may open the page in one moment.
    """

    async def slowly() -> None:
        await asyncio.sleep(0)

    setting.faults.before("list_bound", *[slowly] * 3)
    await asyncio.gather(*(setting.names(MANY) for _ in range(3)))

    assert setting.faults.count("list_bound") == 1


async def test_the_pages_of_one_list_read_the_bindings_once(setting: Setting) -> None:
    """
    A page that comes later than that reads them again.
    """
    await setting.names(MANY)
    await setting.ledger.bind(MANY[1], SecretId(VAULT, "late"))

    assert (await setting.names(MANY))[MANY[1]] == []
    setting.clock.advance(timedelta(seconds=BINDINGS_KEPT_FOR + 1))
    assert (await setting.names(MANY))[MANY[1]] == ["late"]


async def test_a_page_of_few_targets_shows_what_is_bound_now(setting: Setting) -> None:
    """
    A person who has just managed a secret looks at such a page.
    """
    await setting.names(MANY)
    await setting.ledger.bind(MANY[1], SecretId(VAULT, "new"))

    assert await setting.names([MANY[1]]) == {MANY[1]: ["new"]}


async def test_bindings_that_are_too_many_are_not_kept(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Then each target is asked for, and the answer is the same.
    """
    monkeypatch.setattr(module, "MOST_BINDINGS_KEPT", 10)

    found = await setting.names(MANY)

    assert found[MANY[0]] == ["key-0"]
    assert found[MANY[-1]] == [f"key-{len(MANY) // 2}"]


async def test_a_ledger_that_does_not_answer_is_asked_again_by_the_next_page(setting: Setting) -> None:
    """
    Nothing of a failed reading is kept.
    """
    setting.faults.before("list_bound", Unavailable("503"))
    with pytest.raises(Unavailable):
        await setting.names(MANY)

    assert (await setting.names(MANY))[MANY[0]] == ["key-0"]
