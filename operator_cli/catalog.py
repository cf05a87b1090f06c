"""
Which secrets are meant: by their ids, by `vault/name`, or all of them.
"""

from dataclasses import dataclass

from operator_cli.api import Api
from operator_cli.errors import Misuse
from operator_cli.records import ManagedSecret
from operator_cli.remedies import COMMAND
from operator_cli.wording import secret_name, short_id


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
    if any(not _is_id(text) and not everything(_named(known, text)) for text in unique):
        known = (await api.secrets(refresh=True)).secrets
    return list({wanted.id.lower(): wanted for wanted in (_wanted(known, text) for text in unique)}.values())


async def find_id(api: Api, written: str | None) -> str | None:
    """
    Return the id of a secret that is written as an id or a name; nothing for nothing.
    """
    return (await find(api, [written]))[0].id if written else None


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
    if not found:
        raise Misuse(
            f"the app manages no secret called {text!r}",
            f"`{COMMAND} status` lists what it manages; any secret can be given by its id, https://...",
        )
    if len(found) > 1:
        raise Misuse(f"{text!r} stands for several secrets", f"give one of {', '.join(one.id for one in found)}")
    return found[0]


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
