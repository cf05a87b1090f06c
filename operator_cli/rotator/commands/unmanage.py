"""
`unmanage`: a secret is not rotated any more.
"""

from rich.text import Text

from rotator.confirmation import confirm
from rotator.errors import ExitCode
from rotator.managing import Name, release
from rotator.options import Yes
from rotator.session import Session
from rotator.wording import plain, short_id


def unmanage(session: Session, secret: Name, *, yes: Yes = False) -> ExitCode:
    """
    Take the app's tags off a secret: it is not rotated any more.
    """
    if not yes:
        told = f"Nobody will rotate {short_id(secret)} any more. Stop managing it?"
        confirm(session.screen, plain(told), otherwise="nothing was changed")
    left = release(session, "removing the tags", secret)
    if session.screen.as_json:
        vault, _, name = left.partition("/secrets/")
        session.screen.show_json({"secret": {"vault": vault, "name": name.partition("/")[0]}, "managed": False})
    else:
        session.screen.show(Text(plain(f"{short_id(left)} is not managed any more; its value is as it was")))
    return ExitCode.DONE
