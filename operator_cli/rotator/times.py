"""
How times read: in the time zone of this machine, and as seen from now.
"""

from datetime import datetime, timedelta

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)
_UNITS = {"d": _DAY, "h": _HOUR, "m": _MINUTE}
SKEW = _MINUTE
"""What may lie between the clocks of the app and of this machine."""
NO_TIME = "-"


def relative(moment: datetime, now: datetime) -> str:
    """
    Return the time since a moment, or up to it, in its largest unit, as `--since` takes it: `5h ago`, `in 2d`.
    """
    passed = now - moment
    for unit, length in _UNITS.items():
        if abs(passed) >= length:
            number = f"{abs(passed) // length}{unit}"
            return f"{number} ago" if passed > timedelta() else f"in {number}"
    return "now"


def date(moment: datetime | None) -> str:
    """
    Return the day here.
    """
    return f"{moment.astimezone():%Y-%m-%d}" if moment else NO_TIME


def time(moment: datetime) -> str:
    """
    Return day and time here, with the time zone.
    """
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S %Z}"


def minute(moment: datetime) -> str:
    """
    Return day, hour and minute here, without the time zone.
    """
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"


def time_and_distance(moment: datetime, now: datetime) -> str:
    """
    Return day and time here, and how far that is from now.
    """
    is_near = timedelta() < moment - now < _MINUTE
    return f"{time(moment)}, {'in less than a minute' if is_near else relative(moment, now)}"


def days_until(moment: datetime | None, now: datetime) -> str:
    """
    Return the number of whole days left, negative when the moment has passed.
    """
    return str((moment - now) // _DAY) if moment else NO_TIME


def in_days(moment: datetime, now: datetime) -> str:
    """
    Return the days left in words.
    """
    days = (moment - now) // _DAY
    if days < 0:
        return f"{_counted(-days)} ago"
    return f"in {_counted(days)}" if days else "today"


def duration(length: timedelta) -> str:
    """
    Return a length in words: `1 hour`, `1 day 12 hours`.
    """
    left, parts = length, []
    for name, unit in {"day": _DAY, "hour": _HOUR, "minute": _MINUTE, "second": timedelta(seconds=1)}.items():
        if number := left // unit:
            parts.append(f"{number} {name}" if number == 1 else f"{number} {name}s")
            left -= number * unit
    return " ".join(parts) or "0 seconds"


def _counted(days: int) -> str:
    return f"{days} day" if days == 1 else f"{days} days"
