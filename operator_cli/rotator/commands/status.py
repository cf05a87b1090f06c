"""
`status`: how every managed secret stands.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer
from rich.text import Text

from rotator.errors import OK
from rotator.secret_view import by_urgency, footer, table
from rotator.session import Session


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
) -> int:
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
        session.screen.show(table(secrets, datetime.now(UTC)) if secrets else Text("no secrets"))
        session.screen.say(footer(secrets, listing.as_of))
    return OK
