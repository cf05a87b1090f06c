"""
When a timer runs: NCRONTAB expressions and time spans, as the Functions host takes them.

The host leaves a timer out whose schedule it cannot read, and says so only in its own log.
"""

import re
from datetime import timedelta

from msgspec import Struct

from rotation.quoting import quoted

_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_SPAN = re.compile(r"(?:([0-9]{1,5})\.)?([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})")
_ITEM = re.compile(r"(?:\*|([0-9]+|[a-z]+)(?:-([0-9]+|[a-z]+))?)(?:/([0-9]+))?", re.IGNORECASE | re.ASCII)
_LONGEST = 500
_HOURS, _SIXTIETHS = 24, 60


class BadSchedule(ValueError):
    """
    The host would not run a timer by this schedule; says which field is wrong and what it may be.
    """


class _Field(Struct, frozen=True):
    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        named = f" or {self.names[0][:3]} to {self.names[-1][:3]}" if self.names else ""
        return f"{self.least} to {self.most}{named}"

    def check(self, written: str) -> None:
        for item in written.split(","):
            found = _ITEM.fullmatch(item)
            if not found or not all(self._is_value(value) for value in found.group(1, 2) if value):
                raise BadSchedule(
                    f"{self.name} is {quoted(written)}:"
                    f" it must be {self.allowed}, alone or as *, a list, a range or steps"
                )
            step = found[3]
            if step and not (len(step) <= len("59") and int(step)):
                raise BadSchedule(f"{self.name} is {quoted(written)}: the steps after / must be 1 to 99")

    def _is_value(self, value: str) -> bool:
        if value.isdigit():
            return len(value) <= len("59") and self.least <= int(value) <= self.most
        return any(name.lower() == value.lower() or name[:3].lower() == value.lower() for name in self.names)


_FIELDS = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("weekday", 0, 6, _DAYS),
)


class Schedule(Struct, frozen=True):
    """
    Six fields of an NCRONTAB expression, the second first, or the time between two runs.
    """

    fields: tuple[str, ...] = ()
    every: timedelta | None = None


def parse_schedule(text: str) -> Schedule:
    """
    Return the schedule; raises `BadSchedule`.
    """
    if span := _SPAN.fullmatch(text.strip()):
        return Schedule(every=_span(span))
    fields = text.split() if len(text) <= _LONGEST else []
    if len(fields) == len(_FIELDS) - 1:
        fields = ["0", *fields]
    if len(fields) != len(_FIELDS):
        raise BadSchedule(
            "it must have 6 fields (second minute hour day month weekday), such as 0 0 3 * * *,"
            " 5 without the second, or be a time span hh:mm:ss"
        )
    for field, written in zip(_FIELDS, fields, strict=True):
        field.check(written)
    return Schedule(tuple(fields))


def _span(found: re.Match[str]) -> timedelta:
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    every = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if hours >= _HOURS or minutes >= _SIXTIETHS or seconds >= _SIXTIETHS or not every:
        raise BadSchedule("a time span must be longer than nothing, with hours to 23, minutes and seconds to 59")
    return every
