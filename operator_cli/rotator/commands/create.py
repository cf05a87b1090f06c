"""
`create`: the app makes a secret of a key that no person sees.
"""

from typing import Annotated

import typer

from rotator.errors import ExitCode
from rotator.managing import Place, Target, Validity, Way, put, require_gap_is_meant
from rotator.options import Yes
from rotator.orders import KeyChoice
from rotator.session import Session


def create(  # noqa: PLR0913 - one for each option
    session: Session,
    secret: Place,
    *,
    target: Target,
    validity_days: Validity,
    key: Annotated[
        KeyChoice,
        typer.Option(
            metavar="auto|Primary|Secondary",
            help="The key to store; auto: the one that other secrets of the target hold, else Primary.",
            case_sensitive=False,
        ),
    ] = KeyChoice.AUTO,
    strategy: Way = None,
    yes: Yes = False,
) -> ExitCode:
    """
    Let the app make a secret of a target's key, and manage it.
    """
    require_gap_is_meant(session, strategy, secret, yes=yes)
    body = {"target": target, "validityPeriodDays": validity_days, "key": key.named, "strategy": strategy}
    put(session, "storing a key of the target", secret, {**body, "create": True})
    return ExitCode.DONE
