from contextlib import suppress
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from azure.core.exceptions import ResourceExistsError
from azure.data.tables.aio import TableClient

from localcloud.azurite import Azurite
from localcloud.functions_host.process import FunctionsHost, HostError
from localcloud.functions_host.timer_table import TABLE
from localcloud.functions_host.timer_triggers import next_tick
from tests.unit.functions_host.conftest import Eventually, Serve

APP = """
@app.timer_trigger("timer", "%SCHEDULE%", run_on_startup=os.environ.get("AT_START") == "true")
async def tick(timer: func.TimerRequest) -> None:
    logging.getLogger("app").info("tick", extra={"past_due": timer.past_due})
"""
NEVER_SOON = "0 0 0 29 2 *"
LONG_AGO = "2020-01-01T00:00:00+00:00"


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
            return (await host.counts("tick")).succeeded >= 2

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


async def test_a_tick_that_was_missed_is_made_up_for_once(
    serve: Serve, azurite: Azurite, eventually: Eventually
) -> None:
    """
    A host that starts after years of silence runs a yearly timer at once, and the next host does not.
    """
    await enter(azurite, {"PartitionKey": "timers", "RowKey": "missed", "Last": LONG_AGO, "HeldUntil": LONG_AGO})
    source = APP.replace("def tick", "def missed")
    async with serve(source, SCHEDULE=NEVER_SOON) as first:

        async def ran() -> bool:
            return (await first.counts("missed")).succeeded == 1

        await eventually(ran)
    assert [line["past_due"] for line in first.log_lines() if line["message"] == "tick"] == [True]
    async with serve(source, SCHEDULE=NEVER_SOON) as second:
        await eventually(lambda: is_waiting(second))
    assert not [line for line in second.log_lines() if line["message"] == "tick"]


async def test_of_two_hosts_one_makes_up_for_a_missed_tick(
    serve: Serve, azurite: Azurite, http: aiohttp.ClientSession, eventually: Eventually
) -> None:
    """
    However long the run takes, the other one leaves the timer alone.
    """
    await enter(azurite, {"PartitionKey": "timers", "RowKey": "shared", "Last": LONG_AGO, "HeldUntil": LONG_AGO})
    source = """
gate = asyncio.Event()

@app.timer_trigger("timer", "0 0 0 29 2 *")
async def shared(timer: func.TimerRequest) -> None:
    await gate.wait()

@app.route("open", auth_level="anonymous")
async def open_gate(req: func.HttpRequest) -> func.HttpResponse:
    gate.set()
    return func.HttpResponse()
"""
    async with serve(source) as one, serve(source) as other:

        async def runs() -> int:
            counts = [await host.counts("shared") for host in (one, other)]
            return sum(count.running + count.succeeded for count in counts)

        async def runs_once() -> bool:
            return await runs() == 1

        await eventually(runs_once)
        for host in (one, other):
            async with http.get(f"{host.url}/api/open"):
                pass

        async def both_wait() -> bool:
            return await is_waiting(one) and await is_waiting(other)

        await eventually(both_wait)
        assert await runs() == 1


async def test_a_run_that_outlasts_the_next_ticks_is_followed_by_one_more_at_once(
    serve: Serve, http: aiohttp.ClientSession, eventually: Eventually
) -> None:
    """
    That one is past due.
    """
    source = """
gate = asyncio.Event()

@app.timer_trigger("timer", "* * * * * *")
async def long(timer: func.TimerRequest) -> None:
    logging.getLogger("app").info("tick", extra={"past_due": timer.past_due})
    await gate.wait()

@app.route("open", auth_level="anonymous")
async def open_gate(req: func.HttpRequest) -> func.HttpResponse:
    gate.set()
    return func.HttpResponse()
"""
    async with serve(source) as host:

        async def runs_for_two_ticks() -> bool:
            first = [line["time"] for line in host.log_lines() if line["message"] == "tick"]
            return bool(first) and datetime.now(UTC) - datetime.fromisoformat(first[0]) > timedelta(seconds=2)

        await eventually(runs_for_two_ticks)
        async with http.get(f"{host.url}/api/open"):
            pass

        async def ran_again() -> bool:
            return (await host.counts("long")).succeeded >= 2

        await eventually(ran_again)
    assert [line["past_due"] for line in host.log_lines() if line["message"] == "tick"][:2] == [False, True]


async def enter(azurite: Azurite, row: dict[str, str]) -> None:
    """
    Let a timer have run before.
    """
    async with TableClient.from_connection_string(azurite.connection_string, TABLE) as table:
        with suppress(ResourceExistsError):
            await table.create_table()
        await table.create_entity(row)


async def is_waiting(host: FunctionsHost) -> bool:
    """
    Tell whether the host waits for the timer's next tick.
    """
    return any(line["message"].startswith("next run of") for line in host.log_lines())
