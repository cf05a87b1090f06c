"""
How rotations look: one as a block of lines, several as a table.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from rich.console import RenderableType
from rich.text import Text

from rotator import times, wording
from rotator.columns import Column, FittingTable
from rotator.errors import StillRunning, TooSoon
from rotator.progress import COLOURS
from rotator.records import Error, RotatedSecret, Rotation
from rotator.remedies import UNPROVEN, remedy_for, remedy_for_skipped
from rotator.rotating import Outcome


def block(rotation: Rotation, now: datetime) -> Text:
    """
    Return everything that is known of a rotation.
    """
    lines = [Text.assemble((rotation.state, _colour(rotation)), "  ", wording.plain(wording.subject(rotation)))]
    for name, value, remedy in _facts(rotation, now):
        lines.append(Text(f"  {name:<11}{wording.plain(value)}").append(_remedy(remedy)))
    for number, step in enumerate(rotation.steps, 1):
        lines.append(Text(f"  {f'{number}.':<4}{wording.plain(step.step):<12}{wording.plain(step.detail)}".rstrip()))
    if rotation.error:
        lines.append(_error("  error      ", rotation.error))
    return Text("\n").join(lines)


def table(rotations: Sequence[Rotation], now: datetime) -> FittingTable:
    """
    Return a row for each rotation; what has no room of its own and cannot be missed stands below.
    """

    def column(heading: str, text: Callable[[Rotation], str], rank: int = 0) -> Column:
        return Column(heading, [Text(wording.plain(text(one))) for one in rotations], rank=rank)

    ids = [one.id for one in rotations]
    reasons = [wording.plain(wording.reason(one, now)) for one in rotations]
    return FittingTable(
        [
            column("when", lambda one: times.relative(one.started_on, now)),
            column("started", lambda one: times.minute(one.started_on), rank=3),
            Column("state", [Text(wording.plain(one.state), _colour(one)) for one in rotations]),
            column("trigger", lambda one: one.trigger or wording.NOTHING, rank=4),
            column("secret or target", wording.subject),
            column("key", lambda one: one.key_name or wording.NOTHING),
            Column("seconds", [Text(wording.seconds(one)) for one in rotations], is_number=True, rank=5),
            Column(
                "why",
                [Text(reason) for reason in reasons],
                rank=1,
                below=["" if reason == wording.NOTHING else reason for reason in reasons],
            ),
            Column("rotation", [Text(wording.plain(one)) for one in ids], rank=2, below=ids),
        ]
    )


def outcomes(results: Sequence[Outcome], now: datetime) -> list[RenderableType]:
    """
    Return the records of what was asked for: one in full, several as a table with their sum. Errors are told elsewhere.
    """
    records = [result.rotation for result in results if result.rotation]
    if len(results) == 1 or any(record.steps for record in records):
        shown: list[RenderableType] = [block(record, now) for record in records]
    else:
        shown = [table(records, now)] if records else []
        shown += [line for one in records if (line := _line_below(one))]
    return shown if len(results) == 1 else [*shown, summary(results)]


def summary(results: Sequence[Outcome]) -> Text:
    """
    Return how many ended how.
    """
    kinds = Counter(_kind(result) for result in results)
    return Text(", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items())))


def _line_below(rotation: Rotation) -> Text | None:
    """
    Return what a table does not say of a rotation and a person has to know.
    """
    label = f"{wording.plain(wording.subject(rotation))}: "
    if rotation.error:
        return _error(label, rotation.error)
    if rotation.skip_reason and (remedy := remedy_for_skipped(rotation.skip_reason)):
        return Text(f"{label}{wording.plain(rotation.skip_reason)}{_remedy(remedy)}")
    return Text(f"{label}not proven{_remedy(UNPROVEN)}") if rotation.proven is False else None


def _error(label: str, error: Error) -> Text:
    told = Text.assemble((label, "red"), wording.plain(f"{error.code}: {error.message}"))
    return told.append(_remedy(remedy_for(error.code)))


def _remedy(remedy: str | None) -> str:
    return f"\n          -> {remedy}" if remedy else ""


def _kind(result: Outcome) -> str:
    if isinstance(result.error, StillRunning):
        return "still running"
    if isinstance(result.error, TooSoon):
        return "waiting"
    if result.error or result.rotation is None:
        return "refused"
    if result.rotation.state == "Planned" and result.rotation.error:
        return "would fail"
    if result.rotation.state == "Planned" and result.rotation.is_too_soon:
        return "would wait"
    return result.rotation.state.lower()


class _Fact(NamedTuple):
    """
    What is known of a rotation, and what to do about it.
    """

    name: str
    value: str
    remedy: str | None = None


def _facts(rotation: Rotation, now: datetime) -> Iterator[_Fact]:
    yield _Fact("rotation", rotation.id)
    if rotation.target:
        yield _Fact("target", rotation.target)
    if (keys := wording.keys(rotation)) != wording.NOTHING:
        yield _Fact("key", f"{keys}, adopted from another secret" if rotation.adopted else keys)
    if rotation.secret:
        yield from _secret_facts(rotation.secret, now)
    took = f", took {wording.seconds(rotation)} s" if rotation.completed_on else ""
    tries = f", {rotation.attempts} attempts" if rotation.attempts > 1 else ""
    yield _Fact("started", f"{times.time(rotation.started_on)}{took}{tries}")
    yield from _why_facts(rotation, now)
    if proven := wording.proven(rotation):
        # A key that was refused is an error with a remedy of its own.
        yield _Fact("proven", proven, UNPROVEN if rotation.proven is False and not rotation.error else None)
    if rotation.gap_seconds is not None:
        yield _Fact("gap", f"{rotation.gap_seconds:g} s in which the secret held a dead key")
    if rotation.revocation:
        yield _Fact("revocation", f"{rotation.revocation.id}, due {times.time(rotation.revocation.due_on)}")


def _why_facts(rotation: Rotation, now: datetime) -> Iterator[_Fact]:
    if rotation.trigger:
        yield _Fact("trigger", rotation.trigger)
    if rotation.skip_reason:
        yield _Fact("skipped", rotation.skip_reason, remedy_for_skipped(rotation.skip_reason))
    if rotation.allowed_on:
        then = "until then clients may go on with the key"
        if wording.waits_for_its_turn(rotation, now):
            then = "it waits for its turn, and begins within five minutes"
        elif rotation.revokes:
            then = f"the leaked key dies then at the earliest, {times.relative(rotation.allowed_on, now)}"
        yield _Fact("allowed", f"{times.time(rotation.allowed_on)}; {then}")
    if rotation.reason:
        yield _Fact("reason", rotation.reason)
    if rotation.requested_by:
        yield _Fact("asked by", str(rotation.requested_by))


def _secret_facts(secret: RotatedSecret, now: datetime) -> Iterator[_Fact]:
    yield _Fact("secret", f"{secret.vault}/secrets/{secret.name}")
    if secret.previous_version:
        yield _Fact("version", f"{secret.previous_version} -> {secret.version}")
    elif secret.version:
        yield _Fact("version", secret.version)
    if secret.expires_on:
        yield _Fact("expires", f"{times.date(secret.expires_on)}, {times.in_days(secret.expires_on, now)}")


def _colour(rotation: Rotation) -> str:
    return "red" if rotation.error else COLOURS.get(rotation.state, "")
