"""
One secret, as `GET /secrets/{vault}/{name}` shows it: its line of the list, and the other secrets of its target.
"""

import asyncio
from datetime import timedelta

from msgspec import Struct, structs

from rotation.overview.leaks import LeakedKeyStatus, Leaks
from rotation.overview.secrets import ManagedSecret, SecretStatus, Verified, shown
from rotation.overview.standing import facts_of, status_of
from rotation.policy.tags import TARGET
from rotation.ports.inventory import Entry, Facts, Status
from rotation.ports.world import World
from rotation.vocabulary.endings import VaultRefused
from rotation.vocabulary.errors import Declined, NotFound, UnknownSecret
from rotation.vocabulary.limits import LOOK_WITHIN, TARGETS_ASKED_AT_ONCE
from rotation.vocabulary.secret import SecretId, SecretVersion, parse_secret_id
from rotation.vocabulary.target import KeyName, identity_of
from rotation.vocabulary.timing import Deadline


class Neighbour(Struct, frozen=True, rename="camel"):
    """
    Another secret that is known to hold a key of the same target. `key_name` is the key that its tag names.

    `held_key` is the key that was seen in its value when it was `verified`, `leaked_key` is there while that is known
    to have leaked. All of them are None where its tags name another target by now, and so is `status` where no look has
    found the secret.
    """

    secret: ManagedSecret
    key_name: KeyName | None
    held_key: KeyName | None
    status: Status | None
    verified: Verified | None
    leaked_key: LeakedKeyStatus | None


class SecretDetails(SecretStatus, frozen=True, kw_only=True, rename="camel"):
    """
    A secret as the list shows it, with the other secrets of its target.

    `key_name` is the key that its tag names, which may be wrong; `held_key` is the one that was seen in its value when
    it was `verified`, None where nobody has looked or neither was there. `neighbours` are the secrets of
    `shares_target_with`, in the same order.
    """

    held_key: KeyName | None
    neighbours: list[Neighbour]


async def show_secret(world: World, secret: SecretId, *, lead: timedelta) -> SecretDetails:
    """
    Return what is known of a secret. One that no look has found yet is read from its vault, and nothing is kept.

    Raises as `look_at` does.
    """
    world.vaults.require(secret)
    entry = await world.inventory.read_entry(secret)
    if entry is None:
        _, seen = await look_at(world, secret, Deadline(world.clock, LOOK_WITHIN))
        # Its last rotation may be known, if it has failed.
        entry = await world.inventory.read_entry(secret, seen=seen) or Entry(seen)
    return await details_of(world, entry, lead)


async def look_at(world: World, secret: SecretId, deadline: Deadline) -> tuple[SecretVersion, Facts]:
    """
    Return the current version of a secret and what it says, as a look at its vault would find it.

    Raises `Forbidden`, `VaultRefused`, a `DependencyError`, or `UnknownSecret` for one that is not there, or is not
    managed and does not look as if it should be.
    """
    seen_on = world.clock.now()
    try:
        current = await world.vaults.read_current(secret, deadline)
    except NotFound:
        raise UnknownSecret(
            f"there is no secret {secret.unversioned}; correct the name or the vault: GET /api/secrets lists the "
            "secrets that are managed"
        ) from None
    except Declined as error:
        raise VaultRefused(str(error)) from error
    found = facts_of(world.case_of(structs.replace(current, id=SecretId(secret.vault, secret.name))), seen_on)
    if found is None:
        raise UnknownSecret(
            f"{secret.unversioned} is there, and is not managed: it has no tag {TARGET}; give it that tag, with the "
            "ARM id of what its key belongs to, and those that docs/configuration.md names beside it"
        )
    return current, found


async def details_of(world: World, entry: Entry, lead: timedelta) -> SecretDetails:
    """
    Return all that is shown of one secret. Raises a `DependencyError`.
    """
    leaks = await Leaks.read(world)
    status = await shown(world, entry, lead, leaks)
    at_once = asyncio.Semaphore(TARGETS_ASKED_AT_ONCE)

    async def ask(other: SecretId) -> Neighbour:
        async with at_once:
            known = await world.inventory.read_entry(other)
            return _neighbour(world, other, known, status, lead, leaks)

    others = map(parse_secret_id, status.shares_target_with)
    neighbours = await world.gather(*map(ask, others))
    return SecretDetails(**structs.asdict(status), held_key=_held(entry), neighbours=list(neighbours))


def _neighbour(  # noqa: PLR0913, PLR0917 - what is known of two secrets
    world: World, secret: SecretId, entry: Entry | None, sharing: SecretStatus, lead: timedelta, leaks: Leaks
) -> Neighbour:
    """
    Return what is known of another secret, as far as that is about the same target.
    """
    shown_as = ManagedSecret(secret.vault, secret.name)
    if entry is None:
        return Neighbour(shown_as, None, None, None, None, None)
    status = status_of(entry, world.clock.now(), lead)
    if sharing.target is None or entry.facts.target_identity != identity_of(sharing.target):
        return Neighbour(shown_as, None, None, status, None, None)
    verified = entry.verified
    return Neighbour(
        shown_as,
        entry.facts.key,
        _held(entry),
        status,
        Verified(verified.on, verified.result, verified.why) if verified else None,
        leaks.held_by(entry),
    )


def _held(entry: Entry) -> KeyName | None:
    return entry.verified.key if entry.verified else None
