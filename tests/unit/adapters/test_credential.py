import asyncio

import pytest
from azure.core.credentials import AccessTokenInfo

from adapters.credential import Identity
from rotation.vocabulary.errors import Unavailable


class Credential:
    """
    Like those of azure-identity: it keeps the tokens that it got, and asks once for each that asks before.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.gate = asyncio.Event()
        self.is_closed = False
        self._kept: dict[tuple[str, ...], AccessTokenInfo] = {}

    async def get_token_info(self, *scopes: str) -> AccessTokenInfo:
        """
        Return a token, from memory if there is one.
        """
        if scopes not in self._kept:
            self.asked.append(scopes)
            await self.gate.wait()
            self._kept[scopes] = AccessTokenInfo("token", 0)
        return self._kept[scopes]

    async def close(self) -> None:
        """
        Take note of it.
        """
        self.is_closed = True


async def test_rotations_that_begin_together_share_one_token() -> None:
    """
    One request for each resource, however many wait for it.
    """
    credential = Credential()
    identity = Identity(credential)

    waiting = [asyncio.create_task(identity.get_token_info("arm")) for _ in range(10)]
    waiting.append(asyncio.create_task(identity.get_token_info("vault")))
    await asyncio.sleep(0)
    credential.gate.set()
    tokens = await asyncio.gather(*waiting)

    assert {token.token for token in tokens} == {"token"}
    assert sorted(credential.asked) == [("arm",), ("vault",)]


async def test_a_wait_for_a_token_that_does_not_come_ends_in_time() -> None:
    """
    The time for one token counts for those that wait for somebody else's as well.
    """
    identity = Identity(Credential(), within=0.01)

    results = await asyncio.gather(*(identity.get_token_info("arm") for _ in range(3)), return_exceptions=True)

    assert [type(result) for result in results] == [Unavailable] * 3


async def test_closing_an_identity_closes_its_credential() -> None:
    """
    No connection of it stays open.
    """
    credential = Credential()

    await Identity(credential).close()

    assert credential.is_closed


@pytest.mark.parametrize("asks", [1, 2])
async def test_the_scope_of_another_cloud_is_asked_for(asks: int) -> None:
    """
    Whatever the SDK asks for, as often as it does.
    """
    credential = Credential()
    credential.gate.set()
    identity = Identity(credential).for_scope("https://eventgrid.azure.us/.default")

    for _ in range(asks):
        await identity.get_token_info("https://eventgrid.azure.net/.default")

    assert credential.asked == [("https://eventgrid.azure.us/.default",)]
