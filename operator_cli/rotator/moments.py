"""
Times and durations as people write them.
"""

import re
from datetime import UTC, datetime, timedelta

from rotator.errors import Misuse

_AGO = re.compile(r"(?P<number>[0-9]{1,5})(?P<unit>[dhm])")
_UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}


def since(text: str, now: datetime) -> str:
    """
    Return a moment in RFC 3339, from one in ISO 8601 (without a zone: UTC) or from a time before now, such as `7d`.

    Raises `Misuse`.
    """
    try:
        moment = _moment(text, now)
        utc = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise Misuse(
            f"--since {text!r} is no time", "write 2026-11-22, 2026-11-22T04:17:01Z, or 7d, 12h, 30m for that long ago"
        ) from None
    return utc.isoformat(timespec="seconds").replace("+00:00", "Z")


def _moment(text: str, now: datetime) -> datetime:
    ago = _AGO.fullmatch(text)
    return now - int(ago["number"]) * _UNITS[ago["unit"]] if ago else datetime.fromisoformat(text)
