"""
What a person reads before and after a key is reported as leaked.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from rotator.records import Rotation
from rotator.remedies import COMMAND, remedy_for
from rotator.secret_records import ManagedSecret, Neighbour
from rotator.times import duration, time_and_distance
from rotator.wording import held, plain, secret_name, target_name, verified

_SHOWN_STEPS = frozenset({"move", "end"})


def explanation(secret: ManagedSecret, plan: Rotation, after: timedelta, now: datetime) -> str:
    """
    Return what a report would do, and who holds the key as far as the app knows.
    """
    holders: list[ManagedSecret | Neighbour] = [secret, *secret.neighbours]
    lines = [
        f"{secret_name(secret.secret)} holds a key of {target_name(secret.target)}. Reported as leaked:",
        "  1. Every secret that holds the key gets the other one at once.",
        "     Clients that have cached the leaked key go on with it for now.",
        f"  2. {duration(after).capitalize()} after the last secret has moved, the key is regenerated. From then on",
        "     it opens nothing, also for clients that have not read the secret again.",
        "  3. Until then no other secret is given the key, and the report can be",
        "     cancelled.",
        "Who holds which key:",
        *(_holding(one, now) for one in holders),
        *_doubts(plan),
    ]
    return "\n".join(plain(line) for line in lines)


def outlook(revocation: Rotation, now: datetime) -> str:
    """
    Return what becomes of the leaked key, and how to stop or to follow that.
    """
    if revocation.state == "Scheduled" and revocation.allowed_on:
        due = time_and_distance(revocation.allowed_on, now)
        lines = [
            f"The leaked key dies at the earliest {due}, within five minutes of then.",
            f"  to follow   {COMMAND} watch {revocation.id}",
            f"  to stop it  {COMMAND} cancel {revocation.id}",
        ]
        return "\n".join(lines)
    if is_dead(revocation):
        return "The leaked key is dead."
    if revocation.has_ended:
        why = revocation.skip_reason or (revocation.error.message if revocation.error else "no reason given")
        return plain(f"The leaked key is alive: its revocation ended {revocation.state} ({why}).")
    return plain(f"The leaked key is being regenerated: {COMMAND} watch {revocation.id}")


def is_dead(revocation: Rotation) -> bool:
    """
    Return whether the leaked key opens nothing any more.
    """
    return revocation.state == "Completed" or revocation.skip_reason == "revoked"


def _holding(one: ManagedSecret | Neighbour, now: datetime) -> str:
    return f"  {secret_name(one.secret)}: {held(one)}, {verified(one.verified, now)}"


def _doubts(plan: Rotation) -> Iterator[str]:
    """
    Yield what the app has found out just now: which other secrets move, and why this one would not.
    """
    for step in plan.steps:
        if step.step in _SHOWN_STEPS and step.detail != "Completed":
            yield f"The app has looked: {step.detail}"
    if plan.error and (remedy := remedy_for(plan.error.code)):
        yield f"  -> {remedy}"
