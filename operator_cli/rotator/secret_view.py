"""
How the managed secrets look: a table, the most urgent one first; and one of them, with the others of its target.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from rich.console import RenderableType
from rich.text import Text

from rotator import times, wording
from rotator.columns import Column, FittingTable
from rotator.remedies import OBSERVING
from rotator.secret_records import LastRotation, Leaked, ManagedSecret, Neighbour

# Clients of the first two fail now. A status of a later version comes with them.
_URGENCY = (
    *("Drifted", "TargetMissing", "Expired", "Overdue", "Misconfigured"),
    *("Due", "UpToDate", "Paused", "NearlyManaged"),
)
_COLOURS = {
    **dict.fromkeys(("Drifted", "TargetMissing", "Expired"), "bold red"),
    **dict.fromkeys(("Overdue", "Misconfigured"), "red"),
    **dict.fromkeys(("Due", "NearlyManaged"), "yellow"),
    "Paused": "dim",
}
_COLOURS_OF_RESULTS = {
    "Live": "green",
    **dict.fromkeys(("Drift", "TargetMissing"), "red"),
    **dict.fromkeys(("Refused", "Unreachable"), "yellow"),
}
_NEVER = datetime.max.replace(tzinfo=UTC)


def by_urgency(secrets: Sequence[ManagedSecret]) -> list[ManagedSecret]:
    """
    Return the secrets, those first that somebody should look at first.
    """

    def urgency(one: ManagedSecret) -> tuple[bool, int, datetime, str]:
        return (
            one.leaked_key is None,
            _place(one.status),
            one.expires_on or _NEVER,
            wording.secret_name(one.secret).lower(),
        )

    return sorted(secrets, key=urgency)


def table(secrets: Sequence[ManagedSecret], now: datetime) -> FittingTable:
    """
    Return a row for each secret. What few have is left out where none has it.
    """

    def cells(text: Callable[[ManagedSecret], str]) -> list[Text]:
        return [Text(wording.plain(text(one))) for one in secrets]

    reasons = cells(wording.why)
    leaks = [Text(_leak(one.leaked_key, now), "bold red") for one in secrets]
    always = [
        Column("secret", cells(lambda one: wording.secret_name(one.secret))),
        Column("target", cells(lambda one: wording.target_name(one.target)), rank=1),
        Column("key", cells(lambda one: one.key_name or wording.NOTHING), rank=2),
        Column("expires", cells(lambda one: times.date(one.expires_on)), rank=4),
        Column("in days", cells(lambda one: times.days_until(one.expires_on, now)), is_number=True),
        Column("status", [Text(wording.plain(one.status), _COLOURS.get(one.status, "")) for one in secrets]),
    ]
    seldom = [
        Column("verified", [_verified(one, now) for one in secrets]),
        Column(
            "shares target with",
            cells(lambda one: ", ".join(map(wording.short_id, one.shares_target_with))),
            folds=True,
            rank=6,
        ),
        Column(
            "last rotation",
            cells(lambda one: wording.last(one.last_rotation) if one.last_rotation else ""),
            rank=3,
            below=[_failure(one.last_rotation) for one in secrets],
        ),
        Column("leaked key", leaks, rank=3, below=[leak.plain for leak in leaks]),
        Column("why", reasons, folds=True, rank=5, below=[reason.plain for reason in reasons]),
    ]
    return FittingTable(
        [*always, *(one for one in seldom if any(cell.plain != wording.NOTHING for cell in one.cells if cell))]
    )


def block(secret: ManagedSecret, now: datetime) -> list[RenderableType]:
    """
    Return everything that is known of one secret, and a row for each other secret of its target.
    """
    heading = Text.assemble((wording.plain(secret.status), _COLOURS.get(secret.status, "")), "  ")
    lines = [heading.append(wording.plain(wording.secret_name(secret.secret)))]
    lines += [Text(f"  {name:<11}{wording.plain(value)}") for name, value in _facts(secret, now)]
    if not secret.neighbours:
        return [Text("\n").join(lines)]
    return [Text("\n").join(lines), Text(), _neighbours(secret.neighbours, now)]


def _facts(secret: ManagedSecret, now: datetime) -> Iterator[tuple[str, str]]:
    if secret.id:
        yield "secret", secret.id
    if secret.target:
        yield "target", secret.target
        yield "key", wording.held(secret)
        yield "verified", wording.verified_on(secret.verified, now)
    if secret.leaked_key:
        yield "leaked", wording.leaked(secret.leaked_key, now)
    if reasons := wording.why(secret):
        yield "why", reasons
    if secret.expires_on:
        yield "expires", f"{times.date(secret.expires_on)}, {times.in_days(secret.expires_on, now)}"
    yield "next", wording.next_rotation(secret.next_rotation_on, now)
    if secret.last_rotation:
        yield "last", f"{wording.last(secret.last_rotation)}, rotation {secret.last_rotation.id}"
    if secret.seen_on:
        yield "seen", times.time(secret.seen_on)


def _neighbours(neighbours: Sequence[Neighbour], now: datetime) -> FittingTable:
    def cells(text: Callable[[Neighbour], str]) -> list[Text]:
        return [Text(wording.plain(text(one))) for one in neighbours]

    statuses = [one.status or wording.NOTHING for one in neighbours]
    return FittingTable(
        [
            Column("shares the target", cells(lambda one: wording.secret_name(one.secret))),
            Column("key", cells(wording.held)),
            Column("status", [Text(wording.plain(status), _COLOURS.get(status, "")) for status in statuses], rank=1),
            Column("verified", [_verified(one, now) for one in neighbours], rank=2),
        ]
    )


def banners(secrets: Sequence[ManagedSecret], *, observes: bool) -> list[Text]:
    """
    Return what must not be missed: that the app changes nothing, and that leaked keys are in use.
    """
    lines = []
    if observes:
        lines.append(Text(f"OBSERVING: the app changes nothing, and rotates nothing ({OBSERVING})", "bold yellow"))
    if leaked := sum(one.leaked_key is not None for one in secrets):
        hold = "holds" if leaked == 1 else "hold"
        told = f"LEAKED: {wording.counted(leaked, 'secret')} {hold} a key that was reported as leaked and is alive"
        lines.append(Text(told, "bold red"))
    return lines


def footer(secrets: Sequence[ManagedSecret], as_of: datetime | None) -> str:
    """
    Return how many there are, how they stand, and how old that knowledge is.
    """
    listed = [one for one in secrets if one.id is not None]
    number = wording.counted(len(listed), "secret")
    if as_of is None:
        return f"{number}; the vaults have not been read yet: --refresh reads them now"
    as_sum = f": {_sum(listed)}" if listed else ""
    return f"{number} as of {times.time(as_of)}{as_sum}; --refresh looks again now"


def _sum(secrets: Sequence[ManagedSecret]) -> str:
    """
    Return how many stand how. One that is up to date is only known to be fine if its key was seen to be live.
    """
    counts = Counter(one.status for one in secrets)
    parts = {status: f"{counts[status]} {wording.plain(status)}" for status in sorted(counts, key=_place)}
    unverified = sum(one.status == "UpToDate" and not one.is_live for one in secrets)
    if unverified and any(one.verified for one in secrets):
        parts["UpToDate"] += f" ({unverified} not seen Live)"
    return ", ".join(parts.values())


def _place(status: str) -> int:
    return _URGENCY.index(status) if status in _URGENCY else 0


def _verified(secret: ManagedSecret | Neighbour, now: datetime) -> Text:
    colour = _COLOURS_OF_RESULTS.get(secret.verified.result, "") if secret.verified else ""
    return Text(wording.plain(wording.verified(secret.verified, now)), colour)


def _leak(leaked: Leaked | None, now: datetime) -> str:
    return wording.plain(f"leaked: {wording.leaked(leaked, now)}") if leaked else ""


def _failure(rotation: LastRotation | None) -> str:
    return wording.plain(f"last rotation: {wording.last(rotation)}") if rotation and rotation.error else ""
