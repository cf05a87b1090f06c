"""
`leak`: a key has leaked. Who holds it moves to the other key, and then it dies.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.text import Text

from rotator.api import Api
from rotator.catalog import locate
from rotator.confirmation import confirm
from rotator.errors import CommandError, ExitCode, NotRevoked
from rotator.leak_view import explanation, is_dead, outlook
from rotator.leaks import Moving, still_held
from rotator.moments import delay, iso
from rotator.options import Timeout, Yes
from rotator.records import Rotation
from rotator.remedies import COMMAND, remedy_for_skipped
from rotator.rotating import Order, Outcome, Rotating, exit_code
from rotator.rotation_view import block, table
from rotator.secret_records import ManagedSecret
from rotator.session import Session
from rotator.wording import secret_name

# A holder that cannot be moved keeps a revocation waiting that long; then it fails.
_GIVES_UP_AFTER = timedelta(hours=24, minutes=15)


def leak(  # noqa: PLR0913 - one for each option
    session: Session,
    secret: Annotated[str, typer.Argument(metavar="SECRET", help="Its id, or its name as status shows it.")],
    *,
    after: Annotated[
        str,
        typer.Option(
            metavar="DURATION",
            help="How long after the last move the key dies, so that clients have read again: 30m, 1h, PT1H.",
        ),
    ] = "1h",
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="For the record.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Explain what would happen and report nothing.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the key is dead.")] = False,
    timeout: Timeout = 30,
    idempotency_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="The same key again is the same report, not another one.")
    ] = None,
    yes: Yes = False,
) -> ExitCode:
    """
    Report a leaked key: move all secrets off it, then kill it.
    """
    delayed = delay(after, "--after")
    known = session.run("looking who holds the key", _look(session.api, secret))
    body = {"secret": known.id, "revokePreviousAfter": iso(delayed), **({"reason": reason} if reason else {})}
    plan = session.run("asking what would happen", session.api.plan(body))
    told = explanation(known, plan, delayed, datetime.now(UTC))
    if dry_run:
        return _show_plan(session, plan, told)
    if not yes:
        session.screen.say(told)
        confirm(session.screen, "Report the key as leaked?", otherwise="nothing was reported")
    order = Order(secret_name(known.secret), body, "")
    rotating = Rotating(session.watcher(timeout * 60), 1, is_watching=True, idempotency_key=idempotency_key)
    (reported,) = session.run("reporting the key", rotating.carry_out([order]))
    return _follow(session, reported, known.target or "", timeout * 60, delayed if wait else None)


def _show_plan(session: Session, plan: Rotation, told: str) -> ExitCode:
    if session.screen.as_json:
        session.screen.show_json(plan.as_told)
    else:
        session.screen.show(Text(told), Text(), block(plan, datetime.now(UTC)))
    return ExitCode.FAILED if plan.is_refused else ExitCode.DONE


def _follow(session: Session, reported: Outcome, target: str, patience: float, delayed: timedelta | None) -> ExitCode:
    """
    See the moves through and, where a delay is given, the revocation; show what came of them.
    """
    record = reported.rotation
    if record is None or record.revocation is None:
        if record and not reported.error:
            reported = Outcome(reported.label, reported.about, record, _not_revoked(record))
        session.show_outcomes([reported])
        return exit_code([reported])
    # The record of a secret that was skipped names no target.
    moving = Moving(session.api, session.progress, record.target or target, record.revocation.id)
    with session.may_be_left(f"{COMMAND} watch {moving.revocation}"):
        end = session.run("waiting until the secrets have moved", _moved(moving, patience))
        if delayed is not None and not end.holders:
            watcher = session.watcher((delayed + _GIVES_UP_AFTER).total_seconds())
            seen = session.run("asking for the revocation", session.api.rotation(moving.revocation))
            ended = session.run("waiting until the key is dead", watcher.until_ended("revocation", seen))
            end = replace(end, revocation=ended)
    problems = _problems(reported, end, is_waited_for=delayed is not None)
    _show(session, record, end, problems)
    for problem in problems:
        session.screen.complain(problem, reported.label)
    return ExitCode.FAILED if problems else exit_code([reported])


@dataclass(frozen=True)
class _End:
    """
    How far it has come: who still holds the key, the rotations that moved the others, and the revocation.
    """

    holders: list[ManagedSecret]
    moves: list[Rotation]
    revocation: Rotation


async def _moved(moving: Moving, patience: float) -> _End:
    holders = await moving.until_moved(patience)
    return _End(holders, await moving.moves(), (await moving.api.rotation(moving.revocation)).rotation)


def _problems(reported: Outcome, end: _End, *, is_waited_for: bool) -> list[CommandError]:
    problems = [reported.error] if reported.error else []
    if end.holders:
        problems.append(still_held(end.holders))
    elif is_waited_for and not is_dead(end.revocation):
        told = outlook(end.revocation, datetime.now(UTC))
        problems.append(NotRevoked(told, f"`{COMMAND} show {end.revocation.id}` says why"))
    return problems


def _show(session: Session, record: Rotation, end: _End, problems: list[CommandError]) -> None:
    others = [one for one in end.moves if one.id != record.id]
    if session.screen.as_json:
        session.screen.show_json(
            {
                "rotations": [one.as_told for one in (record, *others)],
                "revocation": end.revocation.as_told,
                "holders": [one.as_told for one in end.holders],
                "problems": [problem.problem for problem in problems],
            }
        )
        return
    now = datetime.now(UTC)
    session.screen.show(block(record, now))
    if others:
        session.screen.show(Text(), table(others, now))
    session.screen.show(Text(), Text(outlook(end.revocation, now)))


def _not_revoked(record: Rotation) -> NotRevoked:
    why = record.skip_reason or (record.error.code if record.error else record.state)
    return NotRevoked(f"the rotation ended {record.state} ({why}), and nothing is revoked", remedy_for_skipped(why))


async def _look(api: Api, written: str) -> ManagedSecret:
    return await api.secret(await locate(api, written))
