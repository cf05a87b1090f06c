"""
One structured log line for every step of a rotation, and for what happens around rotations.

Metrics are made of these lines (docs/adr/0005-metrics-from-the-log-lines.md), so their fields are an agreement:
`step`, and what stands beside it here.
"""

import logging
from collections.abc import Mapping

from rotation.vocabulary.caller import Caller
from rotation.vocabulary.record import Rotation
from rotation.vocabulary.timing import Deadline

_log = logging.getLogger("rotation")

# Steps that a person should look at, although the rotation goes on.
_WARNINGS = {"not proven"}
# Steps whose message says who asked: one at the beginning and one at the end.
_TELL_WHO = {"accepted", "reported as leaked", "ended"}


def report(record: Rotation, step: str, deadline: Deadline | None = None, **facts: object) -> None:
    """
    Log that a rotation has come past a step: with the seconds since its attempt began and since the step before.

    None of the facts may be key material, whose type shows nothing.
    """
    fields = {
        "rotation": record.id,
        "step": step,
        "state": str(record.state),
        "trigger": str(record.trigger),
        "provider": record.provider,
        "target": record.target,
        "secret": f"{record.secret.vault}/secrets/{record.secret.name}" if record.secret else None,
        "attempt": record.attempts,
        "requestedBy": _members_of(record.requested_by),
        "seconds": round(deadline.elapsed, 3) if deadline else None,
        "duration": round(deadline.lap(), 3) if deadline else None,
        **{name: None if fact is None else str(fact) for name, fact in facts.items()},
    }
    # Azure's worker passes on the message alone, so it has to hold everything.
    shown = [f"{name} {fact}" for name, fact in facts.items() if fact is not None]
    shown += [
        f"{name} {fields[name]}"
        for name in ("secret", "target", "trigger", "seconds", "duration")
        if fields[name] is not None
    ]
    if record.requested_by and step in _TELL_WHO:
        shown.append(f"requested by {record.requested_by}")
    _log.log(
        logging.WARNING if step in _WARNINGS else logging.INFO,
        "rotation %s: %s (%s)",
        record.id,
        step,
        ", ".join(shown),
        extra=fields,
    )


def report_change(method: str, path: str, status: int, caller: Caller) -> None:
    """
    Log who has asked for a change over HTTP, and how that was answered: most changes leave no record.
    """
    _log.info(
        "%s %s: answered %d, requested by %s",
        method,
        path,
        status,
        caller,
        extra={"step": "asked", "method": method, "status": status, "requestedBy": _members_of(caller)},
    )


def report_sweep(  # noqa: PLR0913 - what a sweep has found
    vault: str,
    *,
    secrets: int,
    due: int,
    misconfigured: int,
    nearest_expiry: float | None,
    seconds: float,
    problem: str | None,
) -> None:
    """
    Log what a sweep has found in one vault, and what kept it from finding all.

    `nearest_expiry` is the seconds until the first secret expires.
    """
    _log.info(
        "sweep of %s: %d managed secrets, %d due, %d misconfigured, nearest expiry in %s days (%s seconds)",
        vault,
        secrets,
        due,
        misconfigured,
        "-" if nearest_expiry is None else round(nearest_expiry / 86_400, 1),
        round(seconds, 3),
        extra={
            "step": "swept",
            "vault": vault,
            "secrets": secrets,
            "due": due,
            "misconfigured": misconfigured,
            "nearest_expiry": nearest_expiry,
            "seconds": round(seconds, 3),
            "problem": problem,
        },
    )


def report_verification(*, secrets: int, seconds: float, is_complete: bool) -> None:
    """
    Log how many secrets a sweep has compared with their targets, and whether those were all that it wanted to.
    """
    seconds = round(seconds, 3)
    _log.info(
        "verification: %d secrets compared%s (%s seconds)",
        secrets,
        "" if is_complete else ", the others come first the next time",
        seconds,
        extra={"step": "verified", "secrets": secrets, "seconds": seconds, "is_complete": is_complete},
    )


def report_standing(vault: str, counts: Mapping[str, int]) -> None:
    """
    Log how many secrets of a vault stand how.
    """
    shown = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    _log.info(
        "secrets of %s: %s",
        vault,
        shown or "none",
        # The line outlives the call: a count that goes on must not change it.
        extra={"step": "counted", "vault": vault, "counts": dict(counts)},
    )


def report_dropped_event(event_id: str | None, reason: str, problem: str) -> None:
    """
    Log that an event was acknowledged and ignored; `reason` is one of few words, `problem` says it to people.
    """
    _log.warning(
        "event %s dropped: %s",
        event_id,
        problem,
        extra={"step": "event dropped", "event_id": event_id, "reason": reason},
    )


def report_poisoned(message_id: str | None, rotation_id: str | None) -> None:
    """
    Log that a message has used up its retries.
    """
    _log.warning(
        "rotation %s: poisoned (message %s)",
        rotation_id or "unknown",
        message_id,
        extra={"step": "poisoned", "rotation": rotation_id, "message_id": message_id},
    )


def _members_of(caller: Caller | None) -> dict[str, str | None] | None:
    return {"name": caller.name, "objectId": caller.object_id, "appId": caller.app_id} if caller else None
