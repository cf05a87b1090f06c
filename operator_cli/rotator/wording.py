"""
How values of the API read on a screen.
"""

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlsplit

from rotator.records import RotatedSecret, Rotation
from rotator.remedies import COMMAND
from rotator.secret_records import LastRotation, Leaked, ListedSecret, ManagedSecret, Neighbour, Verified
from rotator.times import SKEW, date, in_days, minute, relative, time, time_and_distance

NOTHING = "-"
_MOST_NAMED = 5


def plain(text: object) -> str:
    """
    Return a text without what could move the cursor or break a line: parts of it are what callers have written.
    """
    return "".join(letter if letter.isprintable() else " " for letter in str(text))


def secret_name(secret: ListedSecret | RotatedSecret) -> str:
    """
    Return `vault/name`, which commands take as well as the whole id.
    """
    return f"{vault_name(secret.vault)}/{secret.name}" if secret.name else vault_name(secret.vault)


def short_id(secret_id: str) -> str:
    """
    Return `vault/name` of a secret's id; another text stays as it is.
    """
    vault, found, path = secret_id.partition("/secrets/")
    return f"{vault_name(vault)}/{path.partition('/')[0]}" if found and vault_name(vault) else secret_id


def vault_name(uri: str) -> str:
    """
    Return a vault's name: the first label of its host, or host and port where that is no vault's domain.
    """
    host = urlsplit(uri).netloc
    return host if ":" in host else host.partition(".")[0]


def target_name(arm_id: str | None) -> str:
    """
    Return what follows the resource provider: `sites/shop/workflows/orders`.
    """
    if not arm_id:
        return NOTHING
    namespace = arm_id.partition("/providers/")[2]
    return namespace.partition("/")[2] or arm_id


def subject(rotation: Rotation) -> str:
    """
    Return what a rotation is about: its secret, else its target.
    """
    return secret_name(rotation.secret) if rotation.secret else target_name(rotation.target)


def keys(rotation: Rotation) -> str:
    """
    Return which key took the place of which; without a secret, the one that is regenerated.
    """
    if rotation.key_name and rotation.previous_key_name:
        return f"{rotation.previous_key_name} -> {rotation.key_name}"
    return rotation.key_name or rotation.previous_key_name or NOTHING


def reason(rotation: Rotation, now: datetime) -> str:
    """
    Return why a rotation failed, waits, was skipped or was asked for, or else that it regenerated nothing.
    """
    if rotation.error:
        return rotation.error.code
    if waits_for_its_turn(rotation, now):
        return "waits for its turn"
    if rotation.revokes and rotation.allowed_on:
        return f"revokes a leaked key, due {minute(rotation.allowed_on)}"
    if rotation.is_too_soon and rotation.allowed_on:
        return f"too_soon until {minute(rotation.allowed_on)}"
    return rotation.skip_reason or rotation.reason or ("adopted" if rotation.adopted else NOTHING)


def waits_for_its_turn(rotation: Rotation, now: datetime) -> bool:
    """
    Return whether the time of a rotation that waits for it has come, so that it begins within minutes.
    """
    return rotation.state == "Scheduled" and rotation.allowed_on is not None and rotation.allowed_on <= now


def proven(rotation: Rotation) -> str | None:
    """
    Return whether the new key was seen to work, None for a rotation that has none yet.
    """
    if rotation.proven is False:
        return "no: its account refused the new key" if rotation.error else "no: nobody has seen the new key work"
    if rotation.proven:
        return "yes"
    if rotation.state != "Completed":
        return None
    if rotation.secret is None:
        return "not asked: the new value goes nowhere"
    return "not asked: its target has no proof, or ROTATION_PROVE_KEYS is false"


def last(rotation: LastRotation) -> str:
    """
    Return how a last rotation ended, and when.
    """
    state = f"{rotation.state} ({rotation.error})" if rotation.error else rotation.state
    return f"{state} {date(rotation.completed_on)}" if rotation.completed_on else state


def why(secret: ManagedSecret) -> str:
    """
    Return why a secret stands so, and why nobody knows whether its key is live.
    """
    reasons = [secret.why] if secret.why else []
    verified = secret.verified
    if verified and verified.result in {"Refused", "Unreachable"} and verified.why and verified.why != secret.why:
        reasons.append(f"{verified.result}: {verified.why}")
    return "; ".join(reasons)


def verified(verification: Verified | None, now: datetime) -> str:
    """
    Return what came of comparing a secret with its target, and how long ago.
    """
    return f"{verification.result} {relative(verification.on, now)}" if verification else NOTHING


def verified_on(verification: Verified | None, now: datetime) -> str:
    """
    Return the same with the time.
    """
    if verification is None:
        return "never, since its current version was stored"
    return f"{verified(verification, now)}, {time(verification.on)}"


def leaked(key: Leaked, now: datetime) -> str:
    """
    Return when a leaked key dies, and by which rotation.
    """
    if key.due_on is None:
        return f"it is alive, and nothing is due any more; {COMMAND} show {key.revocation} says why"
    return f"it dies at the earliest {time_and_distance(key.due_on, now)}, by rotation {key.revocation}"


def held(secret: ManagedSecret | Neighbour) -> str:
    """
    Return the key that was seen in a secret's value, and what its tag claims where that is all, or another one.
    """
    if secret.held_key == secret.key_name:
        return secret.held_key or NOTHING
    claim = f"tag: {secret.key_name}" if secret.key_name else "no tag"
    return f"{secret.held_key or NOTHING} ({claim})"


def next_rotation(moment: datetime | None, now: datetime) -> str:
    """
    Return when an event or the sweep rotates a secret.
    """
    if moment is None:
        return "never by itself, as it stands"
    if moment <= now + SKEW:
        return "due: the next sweep asks for it"
    return f"{date(moment)}, {in_days(moment, now)}"


def seconds(rotation: Rotation) -> str:
    """
    Return how long an ended rotation took.
    """
    if not rotation.completed_on:
        return NOTHING
    return f"{(rotation.completed_on - rotation.started_on).total_seconds():.1f}"


def counted(number: int, thing: str) -> str:
    """
    Return a number of things: `1 secret`, `2 secrets`.
    """
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def some_of(names: Sequence[str]) -> str:
    """
    Return the first of some names, and how many more there are.
    """
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
