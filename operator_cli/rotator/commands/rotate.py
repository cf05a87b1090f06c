"""
`rotate`: ask for rotations and see them through.
"""

from collections.abc import Sequence
from typing import Annotated

import typer

from rotator.api import Secrets
from rotator.catalog import Wanted, everything, find
from rotator.confirmation import confirm
from rotator.errors import ExitCode, Misuse, NotListed
from rotator.options import Timeout, Yes
from rotator.orders import KeyChoice, Wish
from rotator.rotating import Order, Outcome, Rotating, exit_code
from rotator.session import Session
from rotator.wording import counted, plain, secret_name, target_name, vault_name

_MOST_AT_ONCE = 32


def rotate(  # noqa: PLR0913 - one for each option
    session: Session,
    secrets: Annotated[
        list[str] | None, typer.Argument(metavar="SECRET", help="Ids, or names as status shows them.")
    ] = None,
    *,
    all_secrets: Annotated[bool, typer.Option("--all", help="Every secret that the app manages.")] = False,
    target: Annotated[
        str | None,
        typer.Option(metavar="ARM_ID", help="Regenerate a key of this target that no secret holds; needs --key."),
    ] = None,
    key: Annotated[
        KeyChoice,
        typer.Option(
            metavar="auto|Primary|Secondary",
            help="Which key to regenerate; auto: the one not in use.",
            case_sensitive=False,
        ),
    ] = KeyChoice.AUTO,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Regenerate a key that is in use or that clients may have cached, or store a live one after drift.",
        ),
    ] = False,
    ignore_grace: Annotated[
        bool,
        typer.Option("--ignore-grace", help="Do not wait until clients have stopped using the key to be regenerated."),
    ] = False,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="For the record.")] = None,
    revoke_previous_after: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="Kill the key that was current that long after, such as PT1H."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the steps and change nothing.")] = False,
    watch: Annotated[bool, typer.Option("--watch/--no-watch", help="Wait until it has ended.")] = True,
    timeout: Timeout = 30,
    parallel: Annotated[
        int, typer.Option(min=1, max=_MOST_AT_ONCE, help="How many targets at once, with several secrets.")
    ] = 4,
    idempotency_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="The same key again is the same rotation, not another one.")
    ] = None,
    yes: Yes = False,
) -> ExitCode:
    """
    Rotate secrets, and show how that ended.
    """
    if sum((bool(secrets), all_secrets, target is not None)) != 1:
        raise Misuse("say what to rotate, in one way", "give secrets, or --all, or --target with --key")
    wish = Wish(key, force, ignore_grace, reason, revoke_previous_after)
    hurt, question = _hurts(wish, target), None
    unlisted: list[Outcome] = []
    if target is not None:
        orders = [wish.order_for_target(target)]
        question = f"Regenerate {key.value} of {target_name(target)}?"
    elif secrets:
        wanted = session.run("looking for the secrets", find(session.api, secrets))
        orders = wish.orders(wanted)
        question = f"Rotate {', '.join(one.label for one in wanted)}?" if hurt else None
    else:
        listing = session.run("reading the vaults and comparing the keys", session.api.secrets(refresh=True))
        unlisted, wanted = _unlisted(listing), everything(listing.secrets)
        _tell_left_out(session, listing)
        orders = wish.orders(wanted)
        question = _all(wanted, listing) if wanted else None
    if question and not (yes or dry_run):
        confirm(session.screen, plain(f"{hurt} {question}" if hurt else question), otherwise="nothing was rotated")
    rotating = Rotating(session.watcher(timeout * 60), parallel, watch, idempotency_key)
    outcomes = unlisted + _carry_out(session, rotating, orders, dry_run=dry_run)
    session.show_outcomes(outcomes)
    return exit_code(outcomes)


def _carry_out(session: Session, rotating: Rotating, orders: Sequence[Order], *, dry_run: bool) -> list[Outcome]:
    if dry_run:
        return session.run("asking what would happen", rotating.plan(orders))
    return session.run("asking for the rotations", rotating.carry_out(orders))


def _unlisted(listing: Secrets) -> list[Outcome]:
    """
    Return the vaults that the app could not list: with --all, what is left out must not go unnoticed.
    """
    return [
        Outcome(
            vault_name(one.secret.vault),
            {"vault": one.secret.vault},
            None,
            NotListed(
                one.why or "the vault could not be listed", "compare the app's rights on the vault with docs/deploy.md"
            ),
        )
        for one in listing.secrets
        if one.id is None
    ]


def _tell_left_out(session: Session, listing: Secrets) -> None:
    """
    Name the secrets that are not managed and look as if they should be, also to somebody who is not asked.
    """
    for one in listing.secrets:
        if one.id and not one.is_managed:
            session.screen.say(plain(f"left out: {secret_name(one.secret)} is {one.status}: {one.why}"))


def _hurts(wish: Wish, target: str | None) -> str | None:
    """
    Return what a rotation as it is wished for does to clients, None where none of them notices it.
    """
    if wish.force:
        return (
            "--force stores a live key where the secret holds a dead one. Otherwise it regenerates a key that clients "
            "may be using: they fail until they read the secret again."
        )
    if wish.ignore_grace:
        return "--ignore-grace regenerates a key that clients may have cached: they fail until they read again."
    if wish.revoke_previous_after:
        return "The key in use now is reported as leaked, and dies: clients that have not read the secret again fail."
    return "Anyone who was given that key by hand is locked out." if target else None


def _all(wanted: Sequence[Wanted], listing: Secrets) -> str:
    targets = len({one.target.lower() for one in wanted if one.target})
    paused = sum(one.status == "Paused" for one in listing.secrets)
    aside = f" ({paused} paused: the app will skip them)" if paused else ""
    return f"Rotate {counted(len(wanted), 'secret')} on {counted(targets, 'target')}{aside}?"
