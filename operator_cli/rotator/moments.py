"""
Times and durations as people write them.
"""

import re
from datetime import UTC, datetime, timedelta

from rotator.errors import Misuse

_SHORT = re.compile(r"(?P<number>[0-9]{1,5})(?P<unit>[dhm])", re.IGNORECASE)
_UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}
_ISO = re.compile(
    r"P(?!$)((?P<days>[0-9]{1,9})D)?"
    r"(T(?=[0-9])((?P<hours>[0-9]{1,9})H)?((?P<minutes>[0-9]{1,9})M)?((?P<seconds>[0-9]{1,9})S)?)?"
)


def since(text: str, now: datetime) -> str:
    """
    Return a moment in RFC 3339, from one in ISO 8601 (without a zone: this machine's), or from `7d` for that long ago.

    Raises `Misuse`.
    """
    try:
        utc = _moment(text, now).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Misuse(
            f"--since {text!r} is no time", "write 2026-11-22, 2026-11-22T04:17:01Z, or 7d, 12h, 30m for that long ago"
        ) from None
    return utc.isoformat(timespec="seconds").replace("+00:00", "Z")


def delay(text: str, option: str) -> timedelta:
    """
    Return a duration that is written as `30m`, `12h` or `7d`, or as ISO 8601 does: `PT1H`.

    Raises `Misuse`.
    """
    if short := _SHORT.fullmatch(text):
        return int(short["number"]) * _UNITS[short["unit"].lower()]
    try:
        if found := _ISO.fullmatch(text.upper()):
            return timedelta(**{unit: int(number) for unit, number in found.groupdict().items() if number})
    except OverflowError:
        pass
    raise Misuse(f"{option} {text!r} is no duration", "write it as 30m, 1h or 7d, or as ISO 8601 does: PT1H, P1DT12H")


def iso(length: timedelta) -> str:
    """
    Return a duration as ISO 8601 writes it, in days, hours, minutes and seconds.
    """
    hours, rest = divmod(length.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    clock = "".join(f"{number}{unit}" for number, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if number)
    day = f"{length.days}D" if length.days else ""
    return f"P{day}{f'T{clock}' if clock else ''}" if day or clock else "PT0S"


def _moment(text: str, now: datetime) -> datetime:
    ago = _SHORT.fullmatch(text)
    return now - int(ago["number"]) * _UNITS[ago["unit"].lower()] if ago else datetime.fromisoformat(text)
