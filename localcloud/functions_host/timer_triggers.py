"""
Timer triggers: functions that run by the clock, in UTC.
"""

import asyncio
import logging
from contextlib import suppress
from datetime import UTC, datetime

from cronsim import CronSim, CronSimError

from localcloud.functions_host import converters
from localcloud.functions_host.app_index import IndexedFunction
from localcloud.functions_host.errors import StartupError
from localcloud.functions_host.invocation import InvocationError, Invoker

_log = logging.getLogger("host.timers")


def next_tick(schedule: str, after: datetime) -> datetime:
    """
    Find the first moment past `after` that an NCRONTAB expression matches; raises CronSimError.
    """
    ticks = CronSim(schedule, after)
    # To NCRONTAB a day must match by date and by weekday; cron is content with either where both are restricted.
    ticks.day_and = True
    return next(ticks)


class Timer:
    """
    Runs one function at the ticks of its schedule, never twice at a time.
    """

    def __init__(self, function: IndexedFunction, schedule: str, *, run_on_startup: bool, invoker: Invoker) -> None:
        try:
            next_tick(schedule, datetime.now(UTC))
        except (CronSimError, StopIteration) as error:
            raise StartupError(
                f"function {function.name}: timer schedule {schedule!r} is not an NCRONTAB expression"
                f" (second minute hour day month weekday): {error}"
            ) from error
        self._function = function
        self._schedule = schedule
        self._run_on_startup = run_on_startup
        self._invoker = invoker
        self._ticking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """
        Begin to tick.
        """
        self._ticking = asyncio.create_task(self._tick())

    async def stop(self) -> None:
        """
        Tick no more. A run that is under way goes on.
        """
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.wait([self._ticking])

    async def _tick(self) -> None:
        if self._run_on_startup:
            await self._run()
        due = datetime.now(UTC)
        while True:
            # Past the last tick also where the sleep ended a little early; past now where a run took longer than that.
            due = next_tick(self._schedule, max(due, datetime.now(UTC)))
            _log.info("next run of %s at %s", self._function.name, due.isoformat())
            await asyncio.sleep((due - datetime.now(UTC)).total_seconds())
            await self._run()

    async def _run(self) -> None:
        with suppress(InvocationError):  # It is logged, and the next tick comes all the same.
            await self._invoker.invoke(self._function, converters.timer())
