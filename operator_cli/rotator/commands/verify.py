"""
`verify`: whether one secret holds a live key, as seen now.
"""

from datetime import UTC, datetime
from typing import Annotated

import typer

from rotator.api import Api
from rotator.catalog import locate
from rotator.errors import ExitCode
from rotator.secret_records import ManagedSecret
from rotator.secret_view import block
from rotator.session import Session


def verify(
    session: Session,
    secret: Annotated[str, typer.Argument(metavar="SECRET", help="Its id, or its name as status shows it.")],
) -> ExitCode:
    """
    Compare one secret with the keys of its target now.
    """
    found = session.run("reading the secret and comparing the keys", _verify(session.api, secret))
    if session.screen.as_json:
        session.screen.show_json(found.as_told)
    else:
        session.screen.show(*block(found, datetime.now(UTC)))
    return ExitCode.DONE if found.is_live else ExitCode.FAILED


async def _verify(api: Api, written: str) -> ManagedSecret:
    return await api.verify(await locate(api, written))
