"""
One structured log line for every step of a rotation.
"""

import logging

from rotation.record import Rotation
from rotation.timing import Deadline

_log = logging.getLogger("rotation")


def report(record: Rotation, step: str, deadline: Deadline | None = None, **facts: object) -> None:
    """
    Log that a rotation has come past a step, with the seconds since its attempt began.

    None of the facts may be key material, whose type shows nothing.
    """
    seconds = round(deadline.elapsed, 3) if deadline else None
    fields = {
        "rotation": record.id,
        "step": step,
        "state": str(record.state),
        "target": record.target,
        "secret": f"{record.secret.vault}/secrets/{record.secret.name}" if record.secret else None,
        "seconds": seconds,
        **{name: str(fact) for name, fact in facts.items()},
    }
    # Azure's worker passes on the message alone, so it has to hold everything.
    told = [f"{name} {fact}" for name, fact in facts.items() if fact is not None]
    told += [f"{name} {fields[name]}" for name in ("secret", "target", "seconds") if fields[name] is not None]
    _log.info("rotation %s: %s (%s)", record.id, step, ", ".join(told), extra=fields)
