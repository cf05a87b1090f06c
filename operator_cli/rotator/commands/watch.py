"""
`watch`: rotations that have been asked for before, until they end.
"""

import asyncio
from typing import Annotated

import typer

from rotator.errors import CommandError, ExitCode
from rotator.options import Timeout
from rotator.rotating import Outcome, exit_code, see_through
from rotator.session import Session
from rotator.wording import subject


def watch(
    session: Session,
    rotation_ids: Annotated[list[str], typer.Argument(metavar="ID", help="The ids of rotations.")],
    *,
    timeout: Timeout = 30,
) -> ExitCode:
    """
    Wait until rotations have ended, and show how.
    """
    unique = list(dict.fromkeys(rotation_ids))
    outcomes = session.run("asking for the rotations", _watch_all(session, unique, timeout * 60))
    session.show_outcomes(outcomes)
    return exit_code(outcomes)


async def _watch_all(session: Session, rotation_ids: list[str], patience: float) -> list[Outcome]:
    watcher = session.watcher(patience)

    async def watch_one(rotation_id: str) -> Outcome:
        about = {"rotationId": rotation_id}
        try:
            seen = await session.api.rotation(rotation_id)
        except CommandError as error:
            return Outcome(rotation_id, about, None, error)
        return await see_through(watcher, f"{subject(seen.rotation)} {rotation_id}", about, seen)

    return list(await asyncio.gather(*(watch_one(rotation_id) for rotation_id in rotation_ids)))
