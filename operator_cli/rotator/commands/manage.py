"""
`manage`: a secret that is there is rotated from now on.
"""

from typing import Annotated

import typer

from rotator.errors import ExitCode
from rotator.managing import Place, Target, Validity, Way, put, require_gap_is_meant
from rotator.options import Yes
from rotator.orders import KeyChoice
from rotator.session import Session


def manage(  # noqa: PLR0913 - one for each option
    session: Session,
    secret: Place,
    *,
    target: Target,
    validity_days: Validity,
    key: Annotated[
        KeyChoice,
        typer.Option(
            metavar="auto|Primary|Secondary", help="The key that it holds; auto: the app looks.", case_sensitive=False
        ),
    ] = KeyChoice.AUTO,
    strategy: Way = None,
    yes: Yes = False,
) -> ExitCode:
    """
    Put a secret that is there under management.
    """
    require_gap_is_meant(session, strategy, secret, yes=yes)
    body = {"target": target, "validityPeriodDays": validity_days, "key": key.named, "strategy": strategy}
    put(session, "comparing the secret with the keys of its target", secret, body)
    return ExitCode.DONE
