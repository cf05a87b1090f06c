"""
`status`: how every managed secret stands.
"""

import asyncio
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer
from rich.text import Text

from rotator.api import Api
from rotator.errors import CommandError, ExitCode
from rotator.secret_view import banners, by_urgency, footer, table
from rotator.session import Session

_PATIENCE = 5.0  # seconds


class Status(StrEnum):
    """
    How a managed secret stands; NearlyManaged is one that is not managed, and whose tags look as if it should be.
    """

    UP_TO_DATE = "UpToDate"
    DUE = "Due"
    OVERDUE = "Overdue"
    EXPIRED = "Expired"
    PAUSED = "Paused"
    DRIFTED = "Drifted"
    TARGET_MISSING = "TargetMissing"
    MISCONFIGURED = "Misconfigured"
    NEARLY_MANAGED = "NearlyManaged"


def status(
    session: Session,
    *,
    refresh: Annotated[
        bool,
        typer.Option(
            "--refresh", help="Let the app read its vaults now, and compare each secret with its target's keys."
        ),
    ] = False,
    status: Annotated[Status | None, typer.Option(help="Only those that stand so.", case_sensitive=False)] = None,
    target: Annotated[str | None, typer.Option(metavar="ARM_ID", help="Only those of this target.")] = None,
) -> ExitCode:
    """
    Show how all managed secrets stand, by urgency.
    """
    work = session.api.secrets(target=target, status=status and status.value, refresh=refresh)
    doing = "reading the vaults and comparing the keys" if refresh else "asking for the secrets"
    listing = session.run(doing, work)
    secrets = by_urgency(listing.secrets)
    if session.screen.as_json:
        told = [one.as_told for one in secrets]
        session.screen.show_json({**listing.as_told, "secrets": told, "continuation": None})
    else:
        observes = session.run("asking for the app's health", _observes(session.api))
        session.screen.warn(*banners(secrets, observes=observes))
        session.screen.show(table(secrets, datetime.now(UTC)) if secrets else Text("no secrets"))
        session.screen.say(footer(secrets, listing.as_of))
    return ExitCode.DONE


async def _observes(api: Api) -> bool:
    """
    Return whether the app is known to change nothing: a list without that warning is better than none.
    """
    try:
        async with asyncio.timeout(_PATIENCE):
            return (await api.health()).observes
    except (CommandError, TimeoutError):
        return False
