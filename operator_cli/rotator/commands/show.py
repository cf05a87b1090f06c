"""
`show`: one rotation, or one secret.
"""

from datetime import UTC, datetime
from typing import Annotated

import typer

from rotator.api import Api
from rotator.catalog import locate, names_a_secret
from rotator.errors import ExitCode
from rotator.rotation_view import block
from rotator.secret_records import ManagedSecret
from rotator.secret_view import block as secret_block
from rotator.session import Session


def show(
    session: Session,
    subject: Annotated[
        str, typer.Argument(metavar="ID|SECRET", help="A rotation's id, or a secret as status shows it, or its id.")
    ],
) -> ExitCode:
    """
    Show all that is known of a secret or a rotation.
    """
    if names_a_secret(subject):
        secret = session.run("asking for the secret", _secret(session.api, subject))
        told, shown = secret.as_told, secret_block(secret, datetime.now(UTC))
    else:
        rotation = session.run("asking for the rotation", session.api.rotation(subject)).rotation
        told, shown = rotation.as_told, [block(rotation, datetime.now(UTC))]
    if session.screen.as_json:
        session.screen.show_json(told)
    else:
        session.screen.show(*shown)
    return ExitCode.DONE


async def _secret(api: Api, written: str) -> ManagedSecret:
    return await api.secret(await locate(api, written))
