"""
When a timer runs: schedules as the Functions host reads them.

Its timer extension takes an expression of NCrontab, with or without seconds, and else a time span of .NET. Both are
read here as their sources read them (NCrontab `CrontabFieldImpl` and `CrontabField`, WebJobs `TimerSchedule.Create`,
.NET `TimeSpan.TryParse`), because a schedule that the host cannot read disables the function, and is only logged.
"""

import re
from datetime import datetime, timedelta
from itertools import product

from msgspec import Struct

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_WITH_SECONDS, _WITHOUT_SECONDS = 6, 5
_SPAN = (
    r"(?P<sign>-?)(?:(?P<days>[0-9]{1,8})|(?:(?P<d>[0-9]{1,8})\.)?(?P<first>[0-9]{1,8}):(?P<second>[0-9]{1,2})"
    r"(?::(?P<third>[0-9]{1,2})(?:\.[0-9]{1,7})?)?)"
)
_MOST_HOURS, _MOST_MINUTES = 23, 59
_LONGEST_SPAN = 1_000_000  # days; .NET takes ten times as many, which no date is away
# No date of the calendar is longer away: 29 February may be eight years off, and on one weekday forty.
_YEARS = 41


class _Field(Struct, frozen=True):
    name: str
    first: int
    last: int
    words: tuple[str, ...] = ()


_FIELDS = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("weekday", 0, 6, _WEEKDAYS),
)


class Schedule(Struct, frozen=True):
    """
    The moments at which a timer runs: those that match each of six fields, or one every `span`.
    """

    fields: tuple[tuple[int, ...], ...] = ()
    span: timedelta | None = None

    @classmethod
    def parse(cls, text: str) -> "Schedule":
        """
        Return the schedule.

        Raises `ValueError`, which says what the text is, for one that the host does not take, and for one that never
        comes.
        """
        parts = [part for part in text.split(" ") if part]
        if len(parts) in {_WITHOUT_SECONDS, _WITH_SECONDS}:
            with_seconds = parts if len(parts) == _WITH_SECONDS else ["0", *parts]
            schedule = cls(tuple(_values(part, field) for part, field in zip(with_seconds, _FIELDS, strict=True)))
        else:
            schedule = cls(span=_span(text))
        if schedule.next_after(datetime(2000, 1, 1)) is None:  # noqa: DTZ001 - any date will do
            raise ValueError("names a date that never comes")
        return schedule

    def next_after(self, moment: datetime) -> datetime | None:
        """
        Return the first moment after another one, None if there is none.
        """
        if self.span is not None:
            return moment + self.span
        seconds, minutes, hours, days, months, weekdays = self.fields
        for year, month in product(range(moment.year, moment.year + _YEARS), months):
            if (year, month) < (moment.year, moment.month):
                continue
            for day in days:
                date = _date(moment, year, month, day)
                # The extension wants both the day and the weekday; cron is content with either.
                if date is None or date.isoweekday() % 7 not in weekdays or date.date() < moment.date():
                    continue
                for h, m, s in product(hours, minutes, seconds):
                    if (due := date.replace(hour=h, minute=m, second=s)) > moment:
                        return due
        return None


def _date(like: datetime, year: int, month: int, day: int) -> datetime | None:
    try:
        return datetime(year, month, day, tzinfo=like.tzinfo)
    except ValueError:
        return None


def _values(text: str, field: _Field) -> tuple[int, ...]:
    """
    Return the values that a field matches, in order.
    """
    values: set[int] = set()
    for item in text.split(","):
        base, stepped, step = item.partition("/")
        every = max(1, _step(step, field)) if stepped else 1
        if base == "*":
            first, last = field.first, field.last
        else:
            begin, is_range, end = base.partition("-")
            first = _value(begin, field)
            last = _value(end, field) if is_range else field.last if stepped else first
            # NCrontab exchanges the ends of a range that runs backwards; it does not wrap it.
            first, last = min(first, last), max(first, last)
        values.update(range(first, last + 1, every))
    return tuple(sorted(values))


def _step(text: str, field: _Field) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ValueError(f"has no such step in its field {field.name}")
    return int(text)


def _value(text: str, field: _Field) -> int:
    if re.fullmatch(r"[0-9]{1,9}", text):
        value = int(text)
        if not field.first <= value <= field.last:
            raise ValueError(f"holds {value} in its field {field.name}, which goes from {field.first} to {field.last}")
        return value
    # The beginning of a name is enough; the first name that begins so counts.
    for number, word in enumerate(field.words, field.first):
        if text and word.lower().startswith(text.lower()):
            return number
    raise ValueError(f"has no such value in its field {field.name}")


def _span(text: str) -> timedelta:
    """
    Return a time span of .NET: `d`, `[d.]hh:mm[:ss]`, and `d:hh:mm` where the first number is no hour.
    """
    found = re.fullmatch(_SPAN, text.strip())
    if found is None:
        raise ValueError("has neither five or six fields, nor is it a time span")
    days, first = int(found["days"] or found["d"] or 0), int(found["first"] or 0)
    hours, minutes, seconds = first, int(found["second"] or 0), int(found["third"] or 0)
    if first > _MOST_HOURS and found["third"] and found["d"] is None:
        days, hours, minutes, seconds = first, minutes, seconds, 0
    if hours > _MOST_HOURS or minutes > _MOST_MINUTES or seconds > _MOST_MINUTES or days > _LONGEST_SPAN:
        raise ValueError("is no time span: its hours go to 23, its minutes and seconds to 59")
    span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if found["sign"] or not span:
        raise ValueError("is no time span that a timer can wait for")
    return span
