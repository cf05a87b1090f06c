import asyncio
from datetime import timedelta

import pytest

from handlers import secrets
from rotation.overview.one_secret import SecretDetails
from rotation.vocabulary.errors import OutOfTime, Unavailable
from rotation.vocabulary.limits import LOOK_WITHIN

APP_SERVICE_GIVES_UP_AFTER = timedelta(seconds=230)


async def too_long() -> SecretDetails:
    """
    Never come to an end.
    """
    await asyncio.Event().wait()
    raise AssertionError


async def no_time_left() -> SecretDetails:
    """
    Have no time for the next request.
    """
    raise OutOfTime


@pytest.mark.parametrize("work", [too_long, no_time_left])
async def test_a_caller_is_answered_before_app_service_gives_up(
    work: type[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    With a problem that says to ask again, and not with a page of the gateway.
    """
    assert LOOK_WITHIN < APP_SERVICE_GIVES_UP_AFTER
    monkeypatch.setattr(secrets, "LOOK_WITHIN", timedelta(milliseconds=10))

    with pytest.raises(Unavailable, match="ask again"):
        await secrets._in_time(work())  # type: ignore[arg-type]
