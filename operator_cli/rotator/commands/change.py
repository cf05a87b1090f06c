"""
`set`: how long versions of a secret are valid, and how it is rotated.
"""

from typing import Annotated

import typer

from rotator.errors import ExitCode, Misuse
from rotator.managing import Name, Way, patch, require_gap_is_meant, show
from rotator.options import Yes
from rotator.session import Session


def change(
    session: Session,
    secret: Name,
    *,
    validity_days: Annotated[
        int | None,
        typer.Option(
            "--validity-days",
            min=31,
            max=3650,
            metavar="DAYS",
            help="How long the next versions are valid.",
        ),
    ] = None,
    strategy: Way = None,
    yes: Yes = False,
) -> ExitCode:
    """
    Change how long versions are valid, or how they are rotated.
    """
    wanted = {"validityPeriodDays": validity_days, "strategy": strategy}
    body = {name: value for name, value in wanted.items() if value is not None}
    if not body:
        raise Misuse("say what to set", "give --validity-days, --strategy or both")
    require_gap_is_meant(session, strategy, secret, yes=yes)
    show(session, patch(session, "changing the secret's tags", secret, body))
    return ExitCode.DONE
