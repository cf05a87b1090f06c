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

    The facts travel as fields of the log record, so that a query finds them; none may be key material, whose type
    shows nothing.
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
    told = ", ".join(f"{name} {fact}" for name, fact in facts.items())
    _log.info("rotation %s: %s%s", record.id, step, f" ({told})" if told else "", extra=fields)
