"""
host.json: the part of it that this host reads, with Azure's defaults for what it leaves out.

It rests on assumptions 77 and 82 of docs/fidelity.md.
"""

import os
import re
from pathlib import Path
from typing import Any, Literal

import msgspec

from localcloud.functions_host.errors import StartupError

_OVERRIDE = "AzureFunctionsJobHost"
_TIME_SPAN = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2}(?:\.\d+)?)")


class Seconds(float):
    """
    A length of time that host.json writes as `[d.]hh:mm:ss`.
    """

    @classmethod
    def parse(cls, text: str) -> "Seconds":
        """
        Read a .NET TimeSpan.
        """
        parts = _TIME_SPAN.fullmatch(text)
        if parts is None:
            raise ValueError(f"{text!r} is not a time span such as '00:05:00'")
        days, hours, minutes, seconds = parts.groups(default="0")
        return cls(((int(days) * 24 + int(hours)) * 60 + int(minutes)) * 60 + float(seconds))


class HttpOptions(msgspec.Struct, frozen=True, rename="camel"):
    """
    `extensions.http`.
    """

    route_prefix: str = "api"


class QueueOptions(msgspec.Struct, frozen=True, rename="camel"):
    """
    `extensions.queues`.
    """

    max_polling_interval: Seconds = Seconds(60)
    visibility_timeout: Seconds = Seconds(0)
    batch_size: int = 16
    max_dequeue_count: int = 5
    new_batch_threshold: int | None = None
    message_encoding: Literal["base64", "none"] = "base64"

    @property
    def refill_below(self) -> int:
        """
        How many messages may still be running when the next batch is fetched.
        """
        return self.batch_size // 2 if self.new_batch_threshold is None else self.new_batch_threshold


class Extensions(msgspec.Struct, frozen=True):
    """
    `extensions`.
    """

    http: HttpOptions = HttpOptions()
    queues: QueueOptions = QueueOptions()


class HostJson(msgspec.Struct, frozen=True, rename="camel"):
    """
    The file as a whole.
    """

    version: Literal["2.0"]
    extensions: Extensions = Extensions()
    function_timeout: Seconds | None = None


def read(file: Path) -> HostJson:
    """
    Read a host.json, and over it the app settings `AzureFunctionsJobHost__section__name`, as Azure does.

    Without the file there is no Function App, as with Core Tools.
    """
    try:
        content = msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
        for setting, value in os.environ.items():
            prefix, _, path = setting.partition("__")
            if prefix == _OVERRIDE and path:
                _override(content, path.split("__"), value)
        # Not strict: an app setting is text also where host.json has a number.
        return msgspec.convert(content, type=HostJson, strict=False, dec_hook=_decode)
    except FileNotFoundError:
        raise StartupError(f'{file} is missing: a Function App has one, at least {{"version": "2.0"}}') from None
    except msgspec.DecodeError as error:
        raise StartupError(f"{file}: {error}") from error


def _override(content: dict[str, Any], path: list[str], value: str) -> None:
    *sections, name = path
    for section in sections:
        content = content.setdefault(section, {})
    content[name] = value


def _decode(kind: type, value: Any) -> Any:
    if kind is Seconds and isinstance(value, str):
        return Seconds.parse(value)
    raise NotImplementedError(f"{value!r} is not a {kind.__name__}")
