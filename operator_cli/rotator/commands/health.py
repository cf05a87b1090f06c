"""
`health`: whether the app could rotate a key right now.
"""

from rich.text import Text

from rotator.errors import ExitCode
from rotator.session import Session
from rotator.wording import plain


def health(session: Session) -> ExitCode:
    """
    Say whether the app could rotate a key right now. Needs no credential.
    """
    report = session.run("asking for the app's health", session.api.health())
    is_healthy = report.status == "Healthy"
    if session.screen.as_json:
        session.screen.show_json(report.as_told)
    else:
        session.screen.show(Text(plain(report.status), "green" if is_healthy else "red"))
        width = max(map(len, report.checks), default=0)
        session.screen.show(*(Text(f"  {plain(f'{name:<{width}}  {check}')}") for name, check in report.checks.items()))
    return ExitCode.DONE if is_healthy else ExitCode.NOT_REACHED
