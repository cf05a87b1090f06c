from datetime import UTC, datetime

import pytest

from localcloud.functions_host.process import HostError
from localcloud.functions_host.timer_triggers import next_tick
from tests.unit.functions_host.conftest import Eventually, Serve

APP = """
@app.timer_trigger("timer", "%SCHEDULE%", run_on_startup=os.environ.get("AT_START") == "true")
async def tick(timer: func.TimerRequest) -> None:
    logging.getLogger("app").info("tick", extra={"past_due": timer.past_due})
"""
NEVER_SOON = "0 0 0 29 2 *"


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("0 0 3 * * *", datetime(2026, 1, 3, 3, tzinfo=UTC)),
        ("*/15 * * * * *", datetime(2026, 1, 2, 3, 4, 15, tzinfo=UTC)),
        ("0 */5 * * * *", datetime(2026, 1, 2, 3, 5, tzinfo=UTC)),
        ("0 0 0 13 * FRI", datetime(2026, 2, 13, tzinfo=UTC)),
    ],
)
def test_schedules_are_read_as_ncrontab(schedule: str, expected: datetime) -> None:
    """
    Seconds come first, and a day must match by date and by weekday.
    """
    assert next_tick(schedule, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) == expected


async def test_a_timer_runs_at_its_ticks(serve: Serve, eventually: Eventually) -> None:
    """
    It runs again and again.
    """
    async with serve(APP, SCHEDULE="* * * * * *") as host:

        async def ran_twice() -> bool:
            return (await host.counts("tick")).succeeded == 2

        await eventually(ran_twice)


async def test_a_timer_may_run_at_the_start(serve: Serve, eventually: Eventually) -> None:
    """
    run_on_startup does not wait for the first tick.
    """
    async with serve(APP, SCHEDULE=NEVER_SOON, AT_START="true") as host:

        async def ran() -> bool:
            return (await host.counts("tick")).succeeded == 1

        await eventually(ran)


async def test_a_timer_can_be_run_now(serve: Serve) -> None:
    """
    The admin API runs it, and it is not past due.
    """
    async with serve(APP, SCHEDULE=NEVER_SOON) as host:
        await host.run("tick")
        assert [line["past_due"] for line in host.log_lines() if line["message"] == "tick"] == [False]


async def test_a_missing_schedule_setting_is_named(serve: Serve) -> None:
    """
    The host does not start, and says which setting it lacks.
    """
    with pytest.raises(HostError, match="function tick: '%SCHEDULE%' needs the app setting SCHEDULE, which is not set"):
        async with serve(APP):
            pass


async def test_a_schedule_that_is_none_is_named(serve: Serve) -> None:
    """
    The host does not start, and says what is wrong.
    """
    with pytest.raises(HostError, match="function tick: timer schedule 'daily' is not an NCRONTAB expression"):
        async with serve(APP, SCHEDULE="daily"):
            pass
