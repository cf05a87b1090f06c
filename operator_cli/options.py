"""
Options that several commands have.
"""

from typing import Annotated, TypeAlias

import typer

Timeout: TypeAlias = Annotated[
    float, typer.Option(min=0, metavar="MINUTES", help="How long each rotation is watched before it counts as late.")
]
