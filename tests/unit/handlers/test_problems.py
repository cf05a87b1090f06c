"""
Errors as callers see them, where they depend on the time.
"""

from datetime import UTC, datetime, timedelta

from msgspec import structs

from handlers.problems import too_soon
from rotation.vocabulary.endings import SkipReason
from rotation.vocabulary.record import Rotation, State
from rotation.vocabulary.request import RotationRequest, Trigger
from rotation.vocabulary.secret import SecretId
from tests.twins.targets import accepted_record

NOW = datetime(2026, 11, 24, 4, 17, 2, tzinfo=UTC)


def skipped() -> Rotation:
    """
    Return the record of a rotation that was too soon.
    """
    request = RotationRequest("r", Trigger.HTTP, SecretId("https://v.vault.azure.net", "one"), NOW)
    record = accepted_record(request, NOW)
    return structs.replace(record, state=State.SKIPPED, skip_reason=SkipReason.TOO_SOON, allowed_on=NOW)


def test_a_caller_is_told_to_come_back_as_long_as_waiting_helps() -> None:
    """
    The same Idempotency-Key gets the same answer for ever: nobody is to ask with it once a second.
    """
    before, after = (too_soon(skipped(), NOW + by) for by in (timedelta(seconds=-1.5), timedelta()))

    assert (before.headers["Retry-After"], after.headers.get("Retry-After")) == ("2", None)
    assert before.get_body() == after.get_body()
