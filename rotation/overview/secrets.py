"""
The list of managed secrets, as `GET /secrets` shows it.
"""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime, timedelta

from msgspec import Struct, structs

from rotation.overview.leaks import LeakedKeyStatus, Leaks
from rotation.overview.paging import continuation_of, not_ours, read_continuation
from rotation.overview.sharing import Sharing
from rotation.overview.standing import next_rotation_of, status_of, why_of
from rotation.ports.inventory import Entry, Inventory, Result, Status, VaultFacts
from rotation.ports.world import World
from rotation.vocabulary.errors import Malformed
from rotation.vocabulary.record import Rotation, State
from rotation.vocabulary.request import Trigger
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import KeyName

_BEFORE_ALL_NAMES = "!"  # The place of the line about a vault: sorts before every name of a secret, and is not empty.
_PLACE = re.compile(rf"{_BEFORE_ALL_NAMES}|[0-9a-z-]{{1,127}}")


class ManagedSecret(Struct, frozen=True):
    """
    The secret of a line; without a name the line is about the vault itself, which could not be looked through.
    """

    vault: str
    name: str | None


class LastRotation(Struct, frozen=True, rename="camel"):
    """
    How the last rotation of a secret ended; `error` is its code.
    """

    id: str
    state: State
    trigger: Trigger
    completed_on: datetime | None
    error: str | None


class Verified(Struct, frozen=True):
    """
    What came of comparing the secret's value with the keys of its target: when, and why where it is not Live.
    """

    on: datetime
    result: Result
    why: str | None


class SecretStatus(Struct, frozen=True, rename="camel"):
    """
    How a managed secret stands, as of `seen_on`. `key_name` is the key that it holds, by its tag.

    `why` explains the status where it needs that. `shares_target_with` lists the ids of the other secrets that are
    known to hold a key of the same target. `leaked_key` is there while the key that it holds was reported as leaked and
    is not dead. `next_rotation_on` is when an event or the sweep rotates it, None where neither does as it stands.
    """

    secret: ManagedSecret
    target: str | None
    provider: str | None
    key_name: KeyName | None
    expires_on: datetime | None
    status: Status
    why: str | None
    shares_target_with: list[str]
    last_rotation: LastRotation | None
    seen_on: datetime
    verified: Verified | None
    leaked_key: LeakedKeyStatus | None
    next_rotation_on: datetime | None


class SecretsPage(Struct, frozen=True, rename="camel"):
    """
    A page of managed secrets by vault and name; `as_of` is when the oldest of the looks at the vaults began.
    """

    secrets: list[SecretStatus]
    as_of: datetime | None
    continuation: str | None


class Wanted(Struct, frozen=True):
    """
    Which secrets are asked for: of a target, named by its identity, and in a status; None is any.
    """

    target: str | None = None
    status: Status | None = None


async def list_secrets(  # noqa: PLR0913 - what a page depends on
    world: World,
    wanted: Wanted,
    *,
    lead: timedelta,
    top: int,
    continuation: str | None,
    sharing: Sharing | None = None,
) -> SecretsPage:
    """
    Return at most `top` managed secrets of the configured vaults. `sharing` may know the bindings of the page before.

    Raises `Malformed` for a continuation that is none, or a `DependencyError`.
    """
    vaults, inventory, now = world.vaults.uris, world.inventory, world.clock.now()
    vault, after = _read_place(continuation, vaults) if continuation else (vaults[0], "")
    looks = await asyncio.gather(*map(inventory.vault_facts, vaults))
    known = {facts.vault: facts for facts in looks if facts}
    leaks = await Leaks.read(world)
    found: list[tuple[SecretStatus, str | None]] = []
    remaining = vaults[vaults.index(vault) :]
    # A filter may leave most of what is read out.
    about = top + 1 if wanted == Wanted() else None
    async with aclosing(_lines(inventory, remaining, known, after, now, lead, leaks, about)) as lines:
        async for line in lines:
            status, target = line
            if wanted.target in {None, target} and wanted.status in {None, status.status}:
                found.append(line)
            if len(found) > top:
                break
    page = found[:top]
    last = page[-1][0].secret if len(found) > top else None
    return SecretsPage(
        await _with_sharing(world, page, sharing or Sharing(world.ledger, world.clock)),
        _as_of(vaults, known),
        continuation_of(last.vault, (last.name or _BEFORE_ALL_NAMES).lower()) if last else None,
    )


async def shown(world: World, entry: Entry, lead: timedelta, leaks: Leaks) -> SecretStatus:
    """
    Return what the list shows of one secret. Raises a `DependencyError`.
    """
    line = _about_secret(entry, world.clock.now(), lead, leaks)
    sharing = Sharing(world.ledger, world.clock)
    (status,) = await _with_sharing(world, [(line, entry.facts.target_identity)], sharing)
    return status


async def has_looked(world: World) -> bool:
    """
    Return whether every vault has been looked at.
    """
    looks = await asyncio.gather(*map(world.inventory.vault_facts, world.vaults.uris))
    return all(looks)


def _read_place(continuation: str, vaults: list[str]) -> tuple[str, str]:
    vault, after = read_continuation(continuation, 2)
    if vault not in vaults:
        raise Malformed("continuation is about a vault that ROTATION_VAULTS does not name (any more); begin again")
    if not _PLACE.fullmatch(after):
        raise not_ours()
    return vault, after


async def _lines(  # noqa: PLR0913, PLR0917 - what the lines depend on
    inventory: Inventory,
    vaults: list[str],
    known: dict[str, VaultFacts],
    after: str,
    now: datetime,
    lead: timedelta,
    leaks: Leaks,
    about: int | None,
) -> AsyncGenerator[tuple[SecretStatus, str | None], None]:
    for vault in vaults:
        facts = known.get(vault)
        if facts and facts.problem and not after:
            yield _about_vault(facts), None
        async for entry in inventory.list_entries(vault, after, about=about):
            yield _about_secret(entry, now, lead, leaks), entry.facts.target_identity
        after = ""


def _about_vault(facts: VaultFacts) -> SecretStatus:
    return SecretStatus(
        ManagedSecret(facts.vault, None),
        target=None,
        provider=None,
        key_name=None,
        expires_on=None,
        status=Status.MISCONFIGURED,
        why=facts.problem,
        shares_target_with=[],
        last_rotation=None,
        seen_on=facts.looked_on,
        verified=None,
        leaked_key=None,
        next_rotation_on=None,
    )


def _about_secret(entry: Entry, now: datetime, lead: timedelta, leaks: Leaks) -> SecretStatus:
    facts, verified, status = entry.facts, entry.verified, status_of(entry, now, lead)
    return SecretStatus(
        ManagedSecret(facts.secret.vault, facts.secret.name),
        target=facts.target,
        provider=facts.provider,
        key_name=facts.key,
        expires_on=facts.expires_on,
        status=status,
        why=why_of(entry, status),
        shares_target_with=[],
        last_rotation=_last(entry.last) if entry.last else None,
        seen_on=facts.seen_on,
        verified=Verified(verified.on, verified.result, verified.why) if verified else None,
        leaked_key=leaks.held_by(entry),
        next_rotation_on=next_rotation_of(entry, now, lead),
    )


def _last(record: Rotation) -> LastRotation:
    return LastRotation(
        record.id, record.state, record.trigger, record.completed_on, record.error.code if record.error else None
    )


async def _with_sharing(
    world: World, page: list[tuple[SecretStatus, str | None]], sharing: Sharing
) -> list[SecretStatus]:
    """
    Return the lines with the other secrets of their targets.
    """
    bound_to = await sharing.of(target for _, target in page if target)
    lines = []
    for status, target in page:
        name = status.secret.name
        mine = SecretId(status.secret.vault, name).identity if name else None
        others = [
            bound.secret.unversioned
            for bound in bound_to.get(target or "", [])
            if bound.left_on is None and bound.secret.identity != mine and bound.secret.vault in world.vaults.uris
        ]
        # Neither an event nor the sweep rotates anything where the app only observes.
        next_on = None if world.observes else status.next_rotation_on
        lines.append(structs.replace(status, shares_target_with=sorted(others), next_rotation_on=next_on))
    return lines


def _as_of(vaults: list[str], known: dict[str, VaultFacts]) -> datetime | None:
    moments = [known[vault].as_of if vault in known else None for vault in vaults]
    begun = [moment for moment in moments if moment]
    return min(begun) if len(begun) == len(vaults) else None
