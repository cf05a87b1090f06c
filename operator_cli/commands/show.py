"""
`show`: one rotation.
"""

from datetime import UTC, datetime
from typing import Annotated

import typer

from operator_cli.errors import OK
from operator_cli.rotation_view import block
from operator_cli.session import Session


def show(session: Session, rotation_id: Annotated[str, typer.Argument(metavar="ID", help="The rotation's id.")]) -> int:
    """
    Show everything that is known of a rotation.
    """
    rotation = session.run("asking for the rotation", session.api.rotation(rotation_id)).rotation
    if session.screen.as_json:
        session.screen.show_json(rotation.as_told)
    else:
        session.screen.show(block(rotation, datetime.now(UTC)))
    return OK
