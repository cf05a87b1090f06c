"""
What a log line of a rotation measures.

The lines are those of `rotation/vocabulary/log_lines.py`; their fields are the agreement. Nothing is taken from a line
but words of which there are few (no id, secret or target) and numbers: a metric costs the same however much is rotated.
"""

import logging
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

ROTATIONS = "key_rotator.rotations"
RETRIES = "key_rotator.retries"
POISONED = "key_rotator.poisoned"
DROPPED_EVENTS = "key_rotator.events.dropped"
SWEEPS = "key_rotator.sweeps"
COUNTS = "key_rotator.counts"
LOST = "key_rotator.measurements.lost"


class Count(Struct, frozen=True):
    """
    Something has happened, `times` times.
    """

    counter: str
    attributes: dict[str, str] = {}
    times: int = 1


class StepDuration(Struct, frozen=True):
    """
    A step of a rotation took that many seconds.
    """

    seconds: float
    attributes: dict[str, str]


class NearestExpiry(Struct, frozen=True):
    """
    The first managed secret of a vault expires `at` that time; None if there is none. Both are seconds since the epoch.
    """

    vault: str
    at: float | None
    seen_at: float


class Standing(Struct, frozen=True):
    """
    So many secrets of a vault have each status. `seen_at` is seconds since the epoch.
    """

    vault: str
    counts: dict[str, int]
    seen_at: float


Measurement = Count | StepDuration | NearestExpiry | Standing


def measure(line: logging.LogRecord) -> list[Measurement]:
    """
    Return what a line measures; nothing for a line that tells no step, or one that nobody counts.
    """
    fields = vars(line)
    match fields.get("step"):
        case None | "verified":
            return []
        case "swept":
            return _swept(line, fields)
        case "counted":
            return _counted(line, fields)
        case "poisoned":
            return [Count(POISONED)]
        case "event dropped":
            return [Count(DROPPED_EVENTS, _words(fields, "reason"))]
    return [*_duration(fields), *_counts(fields)]


def _swept(line: logging.LogRecord, fields: Mapping[str, Any]) -> list[Measurement]:
    vault = fields["vault"]
    if fields["problem"]:
        # Half a look says nothing of what it has not seen; what was known is kept.
        return [Count(SWEEPS, {"vault": vault, "result": "incomplete"})]
    nearest = fields["nearest_expiry"]
    at = None if nearest is None else line.created + nearest
    return [Count(SWEEPS, {"vault": vault, "result": "complete"}), NearestExpiry(vault, at, seen_at=line.created)]


def _counted(line: logging.LogRecord, fields: Mapping[str, Any]) -> list[Measurement]:
    vault = fields["vault"]
    return [Count(COUNTS, {"vault": vault}), Standing(vault, dict(fields["counts"]), seen_at=line.created)]


def _duration(fields: Mapping[str, Any]) -> list[Measurement]:
    if fields["duration"] is None:
        return []
    return [StepDuration(fields["duration"], _words(fields, "step", "provider"))]


def _counts(fields: Mapping[str, Any]) -> list[Measurement]:
    step = fields["step"]
    if step == "ended":
        return [Count(ROTATIONS, _words(fields, "outcome", "trigger", "provider", "reason", "awaited"))]
    if step == "suspended" or (step == "claimed" and int(fields["attempt"]) > 1):
        return [Count(RETRIES, _words(fields, "step", "provider"))]
    return []


def _words(fields: Mapping[str, Any], *names: str) -> dict[str, str]:
    return {name: fields[name] for name in names if fields.get(name) is not None}
