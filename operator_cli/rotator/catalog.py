"""
Which secrets are meant: by their ids, by `vault/name`, or all of them.
"""

import asyncio
import re
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from typing import Any

from rotator.api import Api
from rotator.errors import Misuse, Refusal
from rotator.remedies import COMMAND
from rotator.secret_records import ManagedSecret
from rotator.wording import secret_name, short_id, vault_name

_NAME = re.compile(r"([^/?#\s]+/)?[0-9A-Za-z-]{1,127}")
# Also one of which a piece is missing.
_LIKE_A_UUID = re.compile(r"[0-9A-Fa-f-]{30,}")


@dataclass(frozen=True)
class Wanted:
    """
    A secret to be rotated; `target` is None where it is not known.
    """

    id: str
    label: str
    target: str | None


async def find(api: Api, written: list[str]) -> list[Wanted]:
    """
    Return the secrets that are written as ids or names, each once.

    The app is asked for its list only where that is needed: for names, and for the targets of several secrets.
    Raises `Misuse` for a name that stands for no secret, or for several.
    """
    unique = list({text.lower(): text for text in written}.values())
    if len(unique) == 1 and _is_id(unique[0]):
        return [Wanted(unique[0], short_id(unique[0]), None)]
    known = (await api.secrets()).secrets
    for text in unique:
        if not _is_id(text) and not everything(_named(known, text)):
            known = [*known, *await _look_up(api, known, text)]
    return list({wanted.id.lower(): wanted for wanted in (_wanted(known, text) for text in unique)}.values())


async def find_id(api: Api, written: str | None) -> str | None:
    """
    Return the id of a secret that is written as an id or a name; nothing for nothing.
    """
    return (await find(api, [written]))[0].id if written else None


async def locate(api: Api, written: str) -> str:
    """
    Return the id of a secret that is written as an id or a name, also of one that only looks managed.

    Raises `Misuse` as `find` does.
    """
    if _is_id(written):
        return written
    known = (await api.secrets()).secrets
    named = _named(known, written) or _named(await _look_up(api, known, written), written)
    found = {one.id.lower(): one.id for one in named if one.id}
    return _the_one(list(found.values()), written)


async def place(api: Api, written: str) -> str:
    """
    Return the id of a secret that need not be there. A name alone will do where the app knows one vault.

    Raises `Misuse` where that does not say which vault is meant.
    """
    if _is_id(written):
        return written
    vault, _, name = written.rpartition("/")
    known = sorted({one.secret.vault for one in (await api.secrets()).secrets})
    vaults = [uri for uri in known if vault.lower() in {"", vault_name(uri).lower()}]
    if not (_NAME.fullmatch(written) and len(vaults) == 1):
        raise Misuse(
            f"{written!r} does not say which secret of which vault is meant",
            f"give its id, such as https://my-vault.vault.azure.net/secrets/{name or 'name'}"
            + (f"; the app knows {', '.join(map(vault_name, known))}" if known else ""),
        )
    return f"{vaults[0]}/secrets/{name}"


def names_a_secret(text: str) -> bool:
    """
    Return whether a text can be a secret, and is not rather the id of a rotation.
    """
    return _is_id(text) or bool(_NAME.fullmatch(text) and not _LIKE_A_UUID.fullmatch(text))


def everything(known: list[ManagedSecret]) -> list[Wanted]:
    """
    Return all the secrets of a list that the app manages.
    """
    return [
        Wanted(secret.id, secret_name(secret.secret), secret.target)
        for secret in known
        if secret.id and secret.is_managed
    ]


def _wanted(known: list[ManagedSecret], text: str) -> Wanted:
    if not _is_id(text):
        return _only(_named(known, text), text)
    same = [one for one in everything(known) if f"{text.lower()}/".startswith(f"{one.id.lower()}/")]
    return Wanted(text, short_id(text), same[0].target if same else None)


def _only(named: list[ManagedSecret], text: str) -> Wanted:
    found = everything(named)
    if named and not found:
        raise Misuse(
            f"the app does not manage {text!r}: {named[0].why}",
            f"put its tags right; `{COMMAND} status --refresh` shows whether it is managed then",
        )
    secret_id = _the_one([one.id for one in found], text)
    return next(one for one in found if one.id == secret_id)


def _the_one(ids: list[str], text: str) -> str:
    if not ids:
        raise Misuse(
            f"the app manages no secret called {text!r}",
            f"`{COMMAND} status` lists what it manages; any secret can be given by its id, https://...",
        )
    if len(ids) > 1:
        raise Misuse(f"{text!r} stands for several secrets", f"give one of {', '.join(ids)}")
    return ids[0]


async def _look_up(api: Api, known: list[ManagedSecret], text: str) -> list[ManagedSecret]:
    """
    Return what the app finds of a name that stands for no managed secret of its list, which may be a day old.

    Each vault of the list is asked for that name alone, and a secret that only looks managed is read again. All vaults
    are looked through only where the list has none that could be meant.
    """
    if nearly := [one.id for one in _named(known, text) if one.id]:
        return await _existing(map(api.verify, nearly))
    if not _NAME.fullmatch(text):
        return []
    vault, _, name = text.lower().rpartition("/")
    vaults = {one.secret.vault for one in known if vault in {"", vault_name(one.secret.vault).lower()}}
    if not vaults:
        return (await api.secrets(refresh=True)).secrets
    return await _existing(api.secret(f"{uri}/secrets/{name}") for uri in sorted(vaults))


async def _existing(asked: Iterable[Coroutine[Any, Any, ManagedSecret]]) -> list[ManagedSecret]:
    """
    Return the secrets that are there. Any other error is raised.
    """

    async def ask(each: Coroutine[Any, Any, ManagedSecret]) -> ManagedSecret | None:
        try:
            return await each
        except Refusal as refusal:
            if refusal.code != "secret_not_found":
                raise
            return None

    return [found for found in await asyncio.gather(*map(ask, asked)) if found]


def _named(known: list[ManagedSecret], text: str) -> list[ManagedSecret]:
    """
    Return the secrets that a name, or `vault/name`, stands for; its case does not matter, as in Key Vault.
    """
    name = text.lower()
    return [
        one for one in known if one.secret.name and name in {one.secret.name.lower(), secret_name(one.secret).lower()}
    ]


def _is_id(text: str) -> bool:
    return "://" in text
