"""
When a secret is due: one rule for the sweep, the overview, and events that do not say which version they are about.

It rests on assumption 55 of docs/fidelity.md.
"""

from datetime import datetime, timedelta

from rotation.vocabulary.limits import NEAR_EXPIRY
from rotation.vocabulary.request import EVENTS, RotationRequest
from rotation.vocabulary.secret import SecretVersion


def due_on(expires_on: datetime, validity: timedelta | None, lead: timedelta) -> datetime:
    """
    Return when a version is due: `lead` before its expiry.

    A version is not due in its first 30 days because of a long lead: each would be rotated soon after its birth, and
    kill what clients have cached. Then 30 days count, as in Key Vault's own event. `validity` is None where unknown.
    """
    if validity is not None and lead > validity - NEAR_EXPIRY:
        lead = NEAR_EXPIRY
    return expires_on - lead


def next_rotation(expires_on: datetime, validity: timedelta | None, lead: timedelta, now: datetime) -> datetime:
    """
    Return when the rotation of a version is asked for next: by Key Vault's event, or by the first sweep from then on.

    Key Vault raises its event once, 30 days before the expiry; from when a version is due, each sweep asks. So it is
    now where the version is due already, and never in the past.
    """
    due, near_expiry = due_on(expires_on, validity, lead), expires_on - NEAR_EXPIRY
    return max(now, min(due, near_expiry) if near_expiry > now else due)


def is_meant(
    current: SecretVersion, request: RotationRequest, now: datetime, lead: timedelta, validity: timedelta | None
) -> bool:
    """
    Return whether a request is about the version that is current now.

    An event without a version means the current one if that is due; otherwise a rotation came before the event. Key
    Vault raises events 30 days before the expiry, so that a shorter `lead` does not make its event wrong.
    """
    pinned = request.secret.version if request.secret else None
    if pinned is not None:
        return current.version == pinned
    if request.trigger not in EVENTS:
        return True
    if current.expires_on is None:
        return False
    return due_on(current.expires_on, validity, max(lead, NEAR_EXPIRY)) <= now
