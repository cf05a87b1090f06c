"""
Everything that ends a command, or fails one of its rotations.

    CommandError
    ├── Misuse       the command line or the environment is wrong
    ├── Refusal      the app answers with a problem
    ├── NotAdmitted  the host in front of the app does not accept the credential
    ├── OutOfReach   there is no answer, or none that is the app's
    ├── NotListed    the app could not list a vault, whose secrets are therefore not known
    ├── StillRunning the rotation goes on, but the command's patience has ended
    ├── TooSoon      the rotation waits until its key may be regenerated
    ├── NotRevoked   a leaked key stays alive
    ├── StillHeld    secrets still hold a leaked key
    └── Interrupted  somebody has pressed Ctrl-C

Each error knows the exit code it stands for and, where there is one, its remedy. None ever holds a credential.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Any

from rotator.remedies import remedy_for


class ExitCode(IntEnum):
    """
    What a command ends with: the table "Exit codes" of docs/command-line.md.
    """

    DONE = 0
    FAILED = 1
    MISUSED = 2
    NOT_REACHED = 3
    INTERRUPTED = 130


_EXIT_CODES = {
    "malformed": ExitCode.MISUSED,
    "idempotency_conflict": ExitCode.MISUSED,
    "rotation_not_found": ExitCode.MISUSED,
    "unavailable": ExitCode.NOT_REACHED,
    "settings": ExitCode.NOT_REACHED,
}


class CommandError(Exception):
    """
    Everything below; catch it where one rotation must not stop the others.
    """

    code: str
    exit_code: ExitCode = ExitCode.NOT_REACHED

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(message)
        self.remedy = remedy

    @property
    def problem(self) -> dict[str, Any]:
        """
        The error as JSON: the app's own problem where it has answered with one.
        """
        return {"code": self.code, "detail": str(self)}


class Misuse(CommandError):
    """
    The command line or the environment is wrong: nothing was sent.
    """

    code = "usage"
    exit_code = ExitCode.MISUSED


class NotAdmitted(CommandError):
    """
    The credential is not accepted: whether the app runs is not known.
    """

    code = "not_admitted"


class OutOfReach(CommandError):
    """
    There is no answer, or it is not the app's.
    """

    code = "unreachable"


class NotListed(CommandError):
    """
    The app could not list a vault: its secrets are left out.
    """

    code = "vault_not_listed"
    exit_code = ExitCode.FAILED


class StillRunning(CommandError):
    """
    The time limit is over and the rotation has not ended.
    """

    code = "still_running"
    exit_code = ExitCode.FAILED


class TooSoon(CommandError):
    """
    Clients may go on with the key, and the rotation waits in the app until they no longer do.
    """

    code = "too_soon"
    exit_code = ExitCode.FAILED


class NotRevoked(CommandError):
    """
    A key was reported as leaked, and stays alive.
    """

    code = "not_revoked"
    exit_code = ExitCode.FAILED


class StillHeld(CommandError):
    """
    Secrets hold a leaked key that have not moved in time, or cannot.
    """

    code = "still_held"
    exit_code = ExitCode.FAILED


class Interrupted(CommandError):
    """
    Somebody has pressed Ctrl-C: `rotations` go on in the app, by their ids.
    """

    code = "interrupted"
    exit_code = ExitCode.INTERRUPTED

    def __init__(self, rotations: Sequence[str]) -> None:
        super().__init__("interrupted: what the app was asked for goes on in it")
        self._rotations = list(rotations)

    @property
    def problem(self) -> dict[str, Any]:
        """
        The error with the rotations that are worth watching further.
        """
        return {**super().problem, "rotations": self._rotations}


class Refusal(CommandError):
    """
    The app answers with a problem: `rotation_id` is the rotation it is about, if there is one.
    """

    def __init__(self, code: str, detail: str, rotation_id: str | None, problem: dict[str, Any]) -> None:
        super().__init__(detail, remedy_for(code, rotation_id))
        self.code = code
        self.exit_code = _EXIT_CODES.get(code, ExitCode.FAILED)
        self.rotation_id = rotation_id
        self._problem = problem

    @property
    def problem(self) -> dict[str, Any]:
        """
        What the app has answered, unchanged.
        """
        return self._problem
