"""
Values of secrets as people store them: what opens a target, and text around it that clients need as much.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp

from localcloud.consumers import CallFailed, Consumer


@dataclass(frozen=True)
class Shape:
    """
    How a text is made of what opens a target, and how a client takes that from the text.
    """

    name: str
    write: Callable[[str], str]
    read: Callable[[str], str]

    def __str__(self) -> str:
        return self.name


ALONE = Shape("alone", lambda value: value, lambda text: text)
JSON = Shape(
    "JSON",
    lambda value: json.dumps({"name": "orders", "opens with": value, "retries": 3}, indent=1) + "\n",
    lambda text: str(json.loads(text)["opens with"]),
)
LINE = Shape("line of a file", lambda value: f"\ufeff{value}\r\n", lambda text: text.strip("\ufeff\r\n"))
SHAPES = (ALONE, JSON, LINE)


class Reader:
    """
    The `Consumer` of a text in a shape.
    """

    def __init__(self, consumer: Consumer, shape: Shape) -> None:
        self.target = consumer.target
        self.client = consumer.client
        self.service = consumer.service
        self._consumer = consumer
        self._shape = shape

    async def use(self, version: str, value: str, session: aiohttp.ClientSession) -> None:
        """
        Make one call with what the text of a version says. Raises `CallFailed`.
        """
        try:
            opens = self._shape.read(value)
        except (LookupError, TypeError, ValueError):
            raise CallFailed(f"NoLonger{self._shape.name}") from None
        await self._consumer.use(version, opens, session)

    async def forget(self, version: str) -> None:
        """
        Close what was kept for a version.
        """
        await self._consumer.forget(version)
