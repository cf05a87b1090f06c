"""
`pause`: nobody rotates a secret until it is resumed.
"""

from rotator.errors import ExitCode
from rotator.managing import Name, patch, show
from rotator.session import Session


def pause(session: Session, secret: Name) -> ExitCode:
    """
    Leave a secret alone until it is resumed.
    """
    show(session, patch(session, "pausing the secret", secret, {"paused": True}))
    return ExitCode.DONE
