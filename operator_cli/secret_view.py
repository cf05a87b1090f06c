"""
How the managed secrets look: a table, the most urgent one first.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from rich.table import Table
from rich.text import Text

from operator_cli import wording
from operator_cli.columns import Column, tabulate
from operator_cli.records import ManagedSecret

_URGENCY = ("Expired", "Overdue", "Misconfigured", "Due", "UpToDate", "Paused")
_COLOURS = {"Expired": "bold red", "Overdue": "red", "Misconfigured": "red", "Due": "yellow", "Paused": "dim"}
_NEVER = datetime.max.replace(tzinfo=UTC)


def by_urgency(secrets: Sequence[ManagedSecret]) -> list[ManagedSecret]:
    """
    Return the secrets, those first that somebody should look at first.
    """

    def urgency(one: ManagedSecret) -> tuple[int, datetime, str]:
        place = _URGENCY.index(one.status) if one.status in _URGENCY else 0
        return place, one.expires_on or _NEVER, wording.secret_name(one.secret).lower()

    return sorted(secrets, key=urgency)


def table(secrets: Sequence[ManagedSecret], now: datetime) -> Table:
    """
    Return a row for each secret. What few have is left out where none has it.
    """

    def column(heading: str, text: Callable[[ManagedSecret], str], *, folds: bool = False) -> Column:
        return Column(heading, [Text(wording.plain(text(one))) for one in secrets], folds=folds)

    always = [
        column("secret", lambda one: wording.secret_name(one.secret)),
        column("target", lambda one: wording.target_name(one.target)),
        column("key", lambda one: one.key_name or wording.NOTHING),
        column("expires", lambda one: wording.date(one.expires_on)),
        Column("in days", [Text(wording.days_until(one.expires_on, now)) for one in secrets], is_number=True),
        Column("status", [Text(wording.plain(one.status), _COLOURS.get(one.status, "")) for one in secrets]),
    ]
    seldom = [
        column("why", lambda one: one.why or "", folds=True),
        column("shares target with", lambda one: ", ".join(map(wording.short_id, one.shares_target_with)), folds=True),
        column("last rotation", lambda one: wording.last(one.last_rotation) if one.last_rotation else ""),
    ]
    return tabulate([*always, *(one for one in seldom if any(one.cells))])


def footer(secrets: Sequence[ManagedSecret], as_of: datetime | None) -> str:
    """
    Return how many there are, and how old that knowledge is.
    """
    number = wording.counted(sum(one.id is not None for one in secrets), "secret")
    if as_of is None:
        return f"{number}; the vaults have not been read yet: --refresh reads them now"
    return f"{number} as of {wording.time(as_of)}; --refresh reads the vaults now"
