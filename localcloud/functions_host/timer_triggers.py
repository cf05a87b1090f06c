"""
Timer triggers: functions that run by the clock, in UTC.

It rests on assumptions 80 and 81 of docs/fidelity.md.
"""

import asyncio
import logging
from contextlib import suppress
from datetime import UTC, datetime

from azure.core.exceptions import AzureError

from localcloud.functions_host import converters
from localcloud.functions_host.app_index import IndexedFunction
from localcloud.functions_host.background import Background
from localcloud.functions_host.errors import StartupError
from localcloud.functions_host.invocation import InvocationError, Invoker
from localcloud.functions_host.timer_table import TimerRow
from rotation.overview.schedule import Schedule

_log = logging.getLogger("host.timers")
_LOOK_AGAIN = 1.0  # seconds, while another host has the timer


def next_tick(schedule: str, after: datetime) -> datetime:
    """
    Return the first moment past `after` at which a timer runs. Raises `ValueError` for what is no schedule.
    """
    due = Schedule.parse(schedule).next_after(after)
    if due is None:
        raise ValueError("names a date that never comes")
    return due


class Timer(Background):
    """
    Runs one function at the ticks of its schedule: each tick once, whichever host does it, and never two at a time.

    A tick that was missed, because no host ran or because the run before took too long, is made up for once.
    """

    def __init__(
        self, function: IndexedFunction, schedule: str, *, run_on_startup: bool, invoker: Invoker, row: TimerRow
    ) -> None:
        try:
            next_tick(schedule, datetime.now(UTC))
        except ValueError as error:
            raise StartupError(
                f"function {function.name}: timer schedule {schedule!r} is not an NCRONTAB expression"
                f" (second minute hour day month weekday), nor a time span: it {error}"
            ) from error
        super().__init__()
        self._function = function
        self._schedule = schedule
        self._run_on_startup = run_on_startup
        self._invoker = invoker
        self._row = row

    async def _run(self) -> None:
        is_wanted_now = self._run_on_startup
        while not self._stopping.is_set():
            try:
                is_wanted_now = not await self._run_next(is_wanted_now=is_wanted_now) and is_wanted_now
            except AzureError:
                _log.exception("timer %s cannot read or write its last run", self._function.name)
                await self._sleep(_LOOK_AGAIN)

    async def _run_next(self, *, is_wanted_now: bool) -> bool:
        """
        Wait for the next tick and run the function; return False if it was another host's, or this one stops.
        """
        now = datetime.now(UTC)
        last = await self._row.last_run(or_begin=now)
        due = now if is_wanted_now else next_tick(self._schedule, last)
        is_past_due = due < now
        if not is_past_due:
            _log.info("next run of %s at %s", self._function.name, due.isoformat())
            await self._sleep((due - now).total_seconds())
        if self._stopping.is_set():
            return False
        # The sleep may have ended a little early.
        async with self._row.held(last, ran_on=max(due, datetime.now(UTC))) as is_ours:
            if is_ours:
                await self._invoke(is_past_due=is_past_due)
        if not is_ours:
            await self._sleep(_LOOK_AGAIN)
        return is_ours

    async def _invoke(self, *, is_past_due: bool) -> None:
        with suppress(InvocationError):  # It is logged, and the next tick comes all the same.
            await self._invoker.invoke(self._function, converters.timer(is_past_due=is_past_due))

    async def _sleep(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
