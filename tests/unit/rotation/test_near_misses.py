"""
Secrets that are not managed, and whose tags look as if they should be.
"""

from datetime import timedelta

import pytest

from rotation.overview.near_misses import near_miss
from rotation.overview.standing import status_of
from rotation.overview.sweep import look, sweep
from rotation.ports.inventory import Status
from rotation.vocabulary.request import RotationRequest
from rotation.vocabulary.secret import SecretId
from tests.twins.world import VAULT, TwinWorld

MINUTE, LEAD = timedelta(minutes=1), timedelta(days=30)
ADDRESS = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg/providers/Microsoft.Batch/x/y"


@pytest.mark.parametrize(
    "name",
    [
        "ProviderAdress",
        "Provider-Address",
        "provider address",
        "ProviderAddres",
        "PoviderAddress",
        "provider - - - address",
    ],
)
def test_a_misspelt_name_is_named_with_what_it_must_be(name: str) -> None:
    """
    Upper and lower case do not matter in ours, so that no other case is a miss.
    """
    found = near_miss({name: ADDRESS, "Team": "billing"})

    assert found is not None
    assert f"'{name}' must be named ProviderAddress" in found


def test_the_other_two_tags_without_the_first_are_a_miss() -> None:
    """
    Somebody followed half of a tutorial.
    """
    found = near_miss({"CredentialId": "key1", "validityperioddays": "60"})

    assert found is not None
    assert "no ProviderAddress" in found


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"Team": "billing"},
        {"CredentialId": "key1"},
        {"ValidityPeriodDays": "60"},
        {"Provider": "x", "Address": "y"},
        {"ProviderName": "x"},
        {"DeliveryAddress": "x"},
        {"RotationPaused": "true"},
        {"": "", "-": "x"},
    ],
)
def test_other_tags_are_none_of_ours(tags: dict[str, str]) -> None:
    """
    A list that names everything names nothing.
    """
    assert near_miss(tags) is None


def test_no_value_is_shown_of_a_tag_that_may_hold_anything() -> None:
    """
    A name that looks like a key is not shown either.
    """
    found = near_miss({"ProviderAddress" + "s": "AccountKey=c2VjcmV0"})

    assert found is not None
    assert "c2VjcmV0" not in found


async def test_it_is_listed_and_nothing_else_comes_of_it() -> None:
    """
    It is not rotated, not bound to a target, not compared and not counted as managed.
    """
    world = TwinWorld()
    world.vaults.put(
        SecretId(VAULT, "nearly"),
        world.provider.value(world.target, next(iter(world.provider.keys(world.target)))),
        tags={"ProviderAdress": world.address, "CredentialId": "Primary", "ValidityPeriodDays": "90"},
        expires_on=world.clock.now() + timedelta(days=1),
    )
    asked: list[RotationRequest] = []

    await sweep(world.ports, LEAD, asked.append, within=MINUTE)
    await look(world.ports, LEAD, within=MINUTE)

    found = {each.facts.secret.name: each async for each in world.inventory.list_entries(VAULT, "")}
    assert status_of(found["nearly"], world.clock.now(), LEAD) is Status.NEARLY_MANAGED
    assert "ProviderAdress" in str(found["nearly"].facts.nearly)
    assert found["nearly"].facts.expires_on == world.clock.now() + timedelta(days=1)
    assert [request.secret and request.secret.name for request in asked] == ["one"]
    bound = await world.ledger.bound_secrets(world.target.identity)
    assert [each.secret.name for each in bound] == ["one"]
