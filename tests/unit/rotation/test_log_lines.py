"""
What the log says of a rotation: metrics and alerts are made of it.
"""

from datetime import timedelta
from typing import Any

import pytest
from msgspec import structs

from rotation.vocabulary.caller import Caller
from rotation.vocabulary.errors import Declined, Unavailable
from rotation.vocabulary.target import KeyName
from tests.twins.world import VAULT, TwinWorld

STEPS = ["claimed", "inspected", "journaled", "regenerated", "stored", "ended", "announced"]


@pytest.fixture
def world(caplog: pytest.LogCaptureFixture) -> TwinWorld:
    """
    Return a world whose log is kept.
    """
    caplog.set_level("INFO")
    return TwinWorld("workflow")


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """
    Return the log's structured lines.
    """
    return [vars(record) for record in caplog.records if hasattr(record, "step")]


async def test_each_step_says_what_it_is_about(world: TwinWorld, caplog: pytest.LogCaptureFixture) -> None:
    """
    The same for every step, and what the step has found besides.
    """
    request = world.event()
    await world.rotate(request)

    assert [line["step"] for line in lines(caplog)] == STEPS
    for line in lines(caplog):
        assert line["rotation"] == request.id
        assert line["secret"] == f"{VAULT}/secrets/one"
        assert (line["target"], line["provider"]) == (world.target.arm_id, world.target.provider)
        assert (line["trigger"], line["attempt"]) == ("SecretNearExpiry", 1 if line["step"] != "claimed" else "1")
    assert [line["state"] for line in lines(caplog)] == ["Accepted"] * 2 + ["Regenerating"] * 3 + ["Completed"] * 2
    assert {line["key"] for line in lines(caplog) if "key" in line} == {KeyName.SECONDARY}


async def test_each_step_says_how_long_it_took(world: TwinWorld, caplog: pytest.LogCaptureFixture) -> None:
    """
    In seconds since the attempt began, and since the step before, to the millisecond.
    """

    async def take_time() -> None:
        world.clock.advance(timedelta(seconds=2.1234))

    for call in ("regenerate", "store"):
        world.faults.before(call, take_time)
    await world.rotate()

    took = {line["step"]: (line["seconds"], line["duration"]) for line in lines(caplog)}
    assert (took["journaled"], took["regenerated"], took["stored"]) == ((0, 0), (2.123, 2.123), (4.247, 2.123))
    assert took["announced"] == (None, None)


async def test_the_message_holds_what_the_fields_hold(world: TwinWorld, caplog: pytest.LogCaptureFixture) -> None:
    """
    Azure's worker passes on nothing else; what there is nothing to say of is left out.
    """
    request = world.event()
    await world.rotate(request)

    about = f"secret {VAULT}/secrets/one, target {world.target.arm_id}, trigger SecretNearExpiry"
    stored, ended, announced = [record.getMessage() for record in caplog.records][-3:]
    assert stored == f"rotation {request.id}: stored (key Secondary, {about}, seconds 0.0, duration 0.0)"
    assert ended == f"rotation {request.id}: ended (outcome Completed, {about}, seconds 0.0, duration 0.0)"
    assert announced == f"rotation {request.id}: announced ({about})"


async def test_why_a_rotation_failed_stands_beside_its_end(world: TwinWorld, caplog: pytest.LogCaptureFixture) -> None:
    """
    Whatever reason a caller has given: alerts count by the code.
    """
    world.faults.before("regenerate", Declined("403"))
    await world.rotate(world.manual(reason="leaked"))

    (line,) = [line for line in lines(caplog) if line["step"] == "ended"]
    assert (line["outcome"], line["reason"]) == ("Failed", "provider_refused")


async def test_a_callers_reason_is_no_reason_for_the_outcome(
    world: TwinWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """
    It is text of a person's, which nobody counts by.
    """
    await world.rotate(world.manual(reason="leaked"))

    (line,) = [line for line in lines(caplog) if line["step"] == "ended"]
    assert (line["outcome"], line["reason"]) == ("Completed", None)


async def test_an_end_that_cannot_be_written_says_why(world: TwinWorld, caplog: pytest.LogCaptureFixture) -> None:
    """
    It is found again by the next attempt.
    """
    world.faults.before("end", Unavailable("503 by the table"))
    await world.rotate()

    assert (lines(caplog)[-1]["step"], lines(caplog)[-1]["because"]) == ("not ended yet", "503 by the table")


async def test_who_asked_stands_in_the_message_of_the_end_alone(
    world: TwinWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """
    And in a field of every line. A name is personal data: it is not repeated more than that.
    """
    await world.rotate(structs.replace(world.manual(), requested_by=Caller("ada@example.com", "0b1ec7")))

    assert {line["requestedBy"]["name"] for line in lines(caplog)} == {"ada@example.com"}
    told = [record for record in caplog.records if "ada@example.com" in record.getMessage()]
    assert [vars(record)["step"] for record in told] == ["ended"]
