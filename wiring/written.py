"""
What settings hold: texts, flags, lists, addresses, days and hours. Each reader raises `SettingsError`.
"""

import re
from collections.abc import Mapping
from datetime import timedelta

from rotation.vocabulary.errors import SettingsError
from rotation.vocabulary.limits import MOST_DIGITS
from rotation.vocabulary.pasted import unwrapped
from rotation.vocabulary.quoting import quoted

_HTTPS = re.compile(r"https://[a-z0-9](?:[-.a-z0-9]*[a-z0-9])?(?::[0-9]{1,5})?(?:/[-\w./]*)?", re.IGNORECASE | re.ASCII)
_BETWEEN_ITEMS = re.compile(r"[,;\r\n]")


def read_days(
    environment: Mapping[str, str], name: str, bounds: str, *, default: timedelta, longest: timedelta
) -> timedelta:
    """
    Return a number of days, 0 included; `bounds` says what is allowed.
    """
    days = read_text(environment, name) or str(default.days)
    is_short = days.isascii() and days.isdigit() and len(days) <= len(str(longest.days))
    if not (is_short and int(days) <= longest.days):
        raise SettingsError(name, bounds, f"is {quoted(days)}")
    return timedelta(days=int(days))


def read_hours(
    environment: Mapping[str, str], name: str, bounds: str, *, default: timedelta, longest: timedelta
) -> timedelta:
    """
    Return a number of hours, 0 and parts of one included; `bounds` says what is allowed.
    """
    hour = timedelta(hours=1)
    hours = read_text(environment, name) or str(default // hour)
    # Parts of an hour as well.
    is_number = re.fullmatch(rf"[0-9]{{1,{MOST_DIGITS}}}(\.[0-9]{{1,{MOST_DIGITS}}})?", hours)
    if not is_number or float(hours) > longest // hour:
        raise SettingsError(name, bounds, f"is {quoted(hours)}")
    return timedelta(hours=float(hours))


def read_https(environment: Mapping[str, str], name: str, expected: str, *, default: str | None = None) -> str:
    """
    Return an address without query.
    """
    uri = read_text(environment, name) or default
    if uri is None or not _HTTPS.fullmatch(uri):
        # Not quoted: a connection string or a signed URL that was put here by mistake must not reach a log.
        problem = "is missing" if uri is None else "is no such address"
        raise SettingsError(name, f"{expected}, an https URI without query", problem)
    return uri.rstrip("/")


def read_flag(environment: Mapping[str, str], name: str, *, default: bool) -> bool:
    """
    Return true or false.
    """
    written = read_text(environment, name) or str(default)
    if written.lower() not in {"true", "false"}:
        raise SettingsError(name, "true or false", f"is {quoted(written)}")
    return written.lower() == "true"


def read_list(environment: Mapping[str, str], name: str) -> list[str]:
    """
    Return the items of a list.
    """
    items = (unwrapped(item) for item in _BETWEEN_ITEMS.split(read_text(environment, name)))
    return [item for item in items if item]


def read_text(environment: Mapping[str, str], name: str) -> str:
    """
    Return what a setting holds, without what surrounds it; nothing for one that is missing.
    """
    return unwrapped(environment.get(name, ""))
