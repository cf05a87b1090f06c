"""
`unmanage`: a secret is not rotated any more.
"""

from rich.text import Text

from rotator.confirmation import confirm
from rotator.errors import ExitCode
from rotator.managing import Name, patch
from rotator.options import Yes
from rotator.session import Session
from rotator.wording import plain, secret_name, short_id


def unmanage(session: Session, secret: Name, *, yes: Yes = False) -> ExitCode:
    """
    Take the app's tags off a secret: it is not rotated any more.
    """
    if not yes:
        told = f"Nobody will rotate {short_id(secret)}, nor keep others from regenerating its key. Stop managing it?"
        confirm(session.screen, plain(told), otherwise="nothing was changed")
    left = patch(session, "removing the tags", secret, {"managed": False})
    if session.screen.as_json:
        session.screen.show_json(left.as_told)
    else:
        session.screen.show(Text(plain(f"{secret_name(left.secret)} is not managed any more; its value is as it was")))
    return ExitCode.DONE
