"""
`resume`: a secret that was paused is rotated again when it is due.
"""

from rotator.errors import ExitCode
from rotator.managing import Name, patch, show
from rotator.session import Session


def resume(session: Session, secret: Name) -> ExitCode:
    """
    Rotate a paused secret again when it is due.
    """
    show(session, patch(session, "resuming the secret", secret, {"paused": False}))
    return ExitCode.DONE
