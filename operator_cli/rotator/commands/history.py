"""
`history`: what was rotated, newest first.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer
from rich.text import Text

from rotator.catalog import find_id
from rotator.errors import ExitCode
from rotator.moments import since as read_since
from rotator.rotation_view import table
from rotator.session import Session
from rotator.wording import counted


class State(StrEnum):
    """
    Where a rotation stands.
    """

    ACCEPTED = "Accepted"
    SCHEDULED = "Scheduled"
    REGENERATING = "Regenerating"
    COMPLETED = "Completed"
    FAILED = "Failed"
    SKIPPED = "Skipped"


def history(  # noqa: PLR0913 - one for each filter
    session: Session,
    secret: Annotated[
        str | None, typer.Argument(metavar="SECRET", help="Only those of this secret: its id, or its name.")
    ] = None,
    *,
    target: Annotated[str | None, typer.Option(metavar="ARM_ID", help="Only those of this target.")] = None,
    state: Annotated[State | None, typer.Option(help="Only those that stand so.", case_sensitive=False)] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only newer ones: 2026-11-22, 2026-11-22T04:17Z, 7d, 12h, 30m.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 20,
) -> ExitCode:
    """
    List rotations, newest first.
    """
    moment = read_since(since, datetime.now(UTC)) if since is not None else None
    secret_id = session.run("looking for the secret", find_id(session.api, secret))
    filters = {"target": target, "secret": secret_id, "state": state and state.value, "since": moment}
    listing = session.run("asking for the rotations", session.api.rotations(filters, limit))
    if session.screen.as_json:
        told = [rotation.as_told for rotation in listing.rotations]
        session.screen.show_json({"rotations": told, "continuation": listing.continuation})
    else:
        session.screen.show(table(listing.rotations, datetime.now(UTC)) if listing.rotations else Text("no rotations"))
        if listing.continuation is not None:
            session.screen.say(f"{counted(limit, 'rotation')} shown, there are more: --limit, --since")
    return ExitCode.DONE
