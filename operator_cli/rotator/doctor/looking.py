"""
What a look becomes that meets an error: a finding like any other.
"""

from collections.abc import Awaitable, Iterable

from rotator.doctor.finding import Area, Finding
from rotator.doctor.resource_manager import NotShown
from rotator.errors import CommandError, NotAdmitted

_AZURE = Area("azure")
_SIGN_IN = (
    "sign in with `az login` as somebody who has Reader on the subscriptions of the app, its vaults, targets and topic"
)
_AGAIN = "Azure Resource Manager did not answer in a way that says anything: try again later"


async def guarded(look: Awaitable[list[Finding]]) -> list[Finding]:
    """
    Return what a look has found, or that it could not be taken.
    """
    try:
        return await look
    except CommandError as error:
        return [not_seen(error)]


def not_seen(error: CommandError, remedy: str = _SIGN_IN) -> Finding:
    """
    Return that something could not be looked at; `remedy` is for a want of rights.
    """
    is_about_rights = isinstance(error, NotShown | NotAdmitted)
    return _AZURE.unknown(error.code, str(error), remedy if is_about_rights else _AGAIN)


def flat(findings: Iterable[list[Finding]]) -> list[Finding]:
    """
    Return the findings of several looks.
    """
    return [one for found in findings for one in found]
