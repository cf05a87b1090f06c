"""
Putting secrets under management, and changing how they are managed.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, TypeAlias

import typer

from rotator.api import Api
from rotator.catalog import locate, place
from rotator.confirmation import confirm
from rotator.errors import Refusal
from rotator.remedies import remedy_for_managing
from rotator.secret_records import ManagedSecret
from rotator.secret_view import block
from rotator.session import Session
from rotator.wording import short_id


class Strategy(StrEnum):
    """
    Whether both keys take turns, or one is regenerated while clients use it.
    """

    ALTERNATE = "Alternate"
    IN_PLACE = "InPlace"


Name: TypeAlias = Annotated[str, typer.Argument(metavar="SECRET", help="Its id, or its name as status shows it.")]
Place: TypeAlias = Annotated[str, typer.Argument(metavar="SECRET", help="Its id, or vault/name.")]
Target: TypeAlias = Annotated[
    str, typer.Option("--target", metavar="ARM_ID", help="The resource whose key it holds.", show_default=False)
]
Validity: TypeAlias = Annotated[
    int, typer.Option("--validity-days", min=31, max=3650, metavar="DAYS", help="How long each version is valid.")
]
Way: TypeAlias = Annotated[
    Strategy | None,
    typer.Option(
        "--strategy",
        metavar="Alternate|InPlace",
        help="InPlace regenerates the key that clients use: they fail until they read the secret again.",
        case_sensitive=False,
    ),
]


def require_gap_is_meant(session: Session, strategy: Strategy | None, secret: str, *, yes: bool) -> None:
    """
    Ask before a secret is rotated in place from now on. Raises `Misuse` without a yes.
    """
    if strategy is Strategy.IN_PLACE and not yes:
        confirm(
            session.screen,
            f"Each rotation of {short_id(secret)} will lock its clients out until they read the secret again. "
            "Rotate it in place?",
            otherwise="nothing was changed",
        )


def put(session: Session, doing: str, written: str, body: Mapping[str, Any]) -> None:
    """
    Put a secret under management and show how it stands. Raises a `CommandError`.
    """

    async def work() -> ManagedSecret:
        secret_id = await place(session.api, written)
        try:
            return await session.api.manage(
                secret_id, {name: value for name, value in body.items() if value is not None}
            )
        except Refusal as refusal:
            raise _advised(refusal) from None

    show(session, session.run(doing, work()))


def patch(session: Session, doing: str, written: str, change: Mapping[str, Any]) -> ManagedSecret:
    """
    Return a managed secret after its tags were changed. Raises a `CommandError`.
    """
    return session.run(doing, _patch(session.api, written, change))


def release(session: Session, doing: str, written: str) -> str:
    """
    Take a secret out of management, and return its id. Raises a `CommandError`.
    """

    async def work() -> str:
        secret_id = await locate(session.api, written)
        try:
            await session.api.unmanage(secret_id)
        except Refusal as refusal:
            raise _advised(refusal) from None
        return secret_id

    return session.run(doing, work())


def show(session: Session, secret: ManagedSecret) -> None:
    """
    Write how a secret stands.
    """
    if session.screen.as_json:
        session.screen.show_json(secret.as_told)
    else:
        session.screen.show(*block(secret, datetime.now(UTC)))


async def _patch(api: Api, written: str, change: Mapping[str, Any]) -> ManagedSecret:
    try:
        return await api.change(await locate(api, written), change)
    except Refusal as refusal:
        raise _advised(refusal) from None


def _advised(refusal: Refusal) -> Refusal:
    refusal.remedy = remedy_for_managing(refusal.code, refusal.rotation_id)
    return refusal
