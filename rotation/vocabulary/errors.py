"""
Every error this app raises on purpose.

    RotationError
    ├── Rejected             the request ends before it is a rotation; nothing is recorded
    │   ├── Malformed        it cannot be read
    │   ├── TooLarge         it is larger than anything that can be meant
    │   ├── Unauthorized     nobody has signed in
    │   ├── Forbidden        it is about a vault that is not ours, or its caller may not ask for it
    │   ├── UnknownSecret    there is no such secret
    │   ├── UnknownRotation  there is no such rotation
    │   ├── KeyReused        its Idempotency-Key stands for another request
    │   ├── NotCancellable   the rotation has begun or ended
    │   ├── Observing        the app changes nothing
    │   ├── AlreadyManaged   the secret is managed for another target
    │   ├── NameDeleted      the vault keeps a deleted secret of that name
    │   └── Busy             another rotation of the same target is running
    ├── Ending               the rotation ends here, and its record says so (`endings.py`)
    ├── Unfinished           this attempt ends, the rotation does not: it is resumed from the ledger
    │   └── OutOfTime        the time in which this attempt may send anything is over
    ├── DependencyError      what a port raises when the service behind it did not do as asked
    │   ├── NotFound         it says that the thing does not exist
    │   ├── Declined         a clear no: nothing happened, and asking again will not help (DeletedName)
    │   ├── Unavailable      throttled or failing: this request is over; what it did must be looked up
    │   ├── NoAnswer         no usable answer: the request may still take effect
    │   └── UnreadableRow    a row of the ledger is not one that this version can read
    └── SettingsError        a setting is missing or malformed

Each error has a stable `code` for callers and knows whether a later retry can help: nothing parses a message for it.
"""

from datetime import timedelta
from typing import ClassVar


class RotationError(Exception):
    """
    Everything below; catch it where one item must not stop the others.
    """

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False


class Rejected(RotationError):
    """
    The request ends before it becomes a rotation. Catch it at a trigger, which answers or drops.
    """


class Malformed(Rejected):
    """
    The input cannot be read; the message names the part and what it should be.
    """

    code = "malformed"


class TooLarge(Rejected):
    """
    The input is larger than anything that can be meant.
    """

    code = "too_large"


class Unauthorized(Rejected):
    """
    It is not known who asks.
    """

    code = "unauthorized"


class Forbidden(Rejected):
    """
    The secret is in a vault that `ROTATION_VAULTS` does not name, or the caller may not do that.
    """

    code = "forbidden"


class UnknownSecret(Rejected):
    """
    The vault has no secret of that name.
    """

    code = "secret_not_found"


class NotManaged(UnknownSecret):
    """
    The secret is there, and is not managed.
    """


class UnknownRotation(Rejected):
    """
    No rotation has that id.
    """

    code = "rotation_not_found"


class KeyReused(Rejected):
    """
    The Idempotency-Key was used with another body before.
    """

    code = "idempotency_conflict"


class Observing(Rejected):
    """
    The app only observes: no tag is changed.
    """

    code = "observing"


class AlreadyManaged(Rejected):
    """
    The secret is managed for another target.
    """

    code = "already_managed"


class NameDeleted(Rejected):
    """
    The vault keeps a deleted secret of that name, so that there can be no other.
    """

    code = "name_deleted"


class NotCancellable(Rejected):
    """
    The rotation with the id `rotation` has begun or ended, or begins at once.
    """

    code = "not_cancellable"

    def __init__(self, message: str, rotation: str) -> None:
        super().__init__(message)
        self.rotation = rotation


class Busy(Rejected):
    """
    Another rotation of the same target is running: `running` is its id, None where tags are being changed.
    """

    code = "busy"
    retryable = True

    def __init__(self, running: str | None) -> None:
        super().__init__(
            f"rotation {running} of the same target is still running; try again when it has ended"
            if running
            else "the tags of a secret of the same target are being changed; try again in a moment"
        )
        self.running = running


class Unfinished(RotationError):
    """
    The attempt ends, the rotation stays open in the ledger and is resumed.

    `in_flight` says whether a request of this attempt may still take effect: then the claim is kept for as long as
    that can last.
    """

    code = "unfinished"
    retryable = True

    def __init__(self, message: str, *, in_flight: bool) -> None:
        super().__init__(message)
        self.in_flight = in_flight


class OutOfTime(Unfinished):
    """
    The time in which this attempt may send anything is over.
    """

    def __init__(self) -> None:
        super().__init__("the time in which this attempt may send anything is over", in_flight=False)


class DependencyError(RotationError):
    """
    A service behind a port did not do as asked; `message` is fit for a log and holds no key material.

    `retry_after` is the time the service asked for, if it did.
    """

    code = "dependency"

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after

    def pause(self, planned: float) -> float:
        """
        Return the seconds to wait before the next try: as many as planned, or more if the service asked for more.
        """
        return max(planned, self.retry_after.total_seconds()) if self.retry_after else planned


class NotFound(DependencyError):
    """
    The service says that the thing does not exist.
    """

    code = "not_found"


class Declined(DependencyError):
    """
    A clear no with the service's own error code; nothing happened.
    """

    code = "declined"


class DeletedName(Declined):
    """
    A clear no of Key Vault: it keeps a deleted secret of that name.
    """


class Unavailable(DependencyError):
    """
    The request is over, by throttling or a fault of the service; whether it took effect must be looked up.
    """

    code = "unavailable"
    retryable = True


class NoAnswer(DependencyError):
    """
    No usable answer came; the request may take effect yet.
    """

    code = "no_answer"
    retryable = True


class UnreadableRow(DependencyError):
    """
    A row of the ledger was written by a version that this one does not understand; the message names it.
    """

    code = "unreadable_row"


class SettingsError(RotationError):
    """
    A setting is missing or malformed; `setting` names it and `expected` says what it should be, without its value.
    """

    code = "settings"

    def __init__(self, setting: str, expected: str, problem: str = "is missing") -> None:
        super().__init__(f"setting {setting} {problem}: it must be {expected}")
        self.setting = setting
        self.expected = expected
