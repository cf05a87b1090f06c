"""
What was asked of the local Azure, by whom it was answered and whether it took effect.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from localcloud.azure.instant import Instant


@dataclass(slots=True)
class LoggedRequest:
    """
    One request. Holds no body and no query string: a callback URL's signature would be in it.
    """

    number: int
    service: str
    method: str
    path: str
    operation: str = "Unknown"
    target: str = ""
    """The resource, without the action: an ARM id, a secret's id, a vault's URI."""
    received: Instant = field(default_factory=Instant.now)
    ended: Instant | None = None
    """When it was answered and could take effect no more."""
    is_at_work: bool = False
    """Somebody has answered it in the service's place, and the service goes on."""
    status: int | None = None
    """What was answered; None while it is under way, and for ever when the connection was cut."""
    took_effect: bool = False
    """The service did what was asked, whatever the caller got to see of it."""
    caller: int | None = None
    """The port that it came from: requests of one connection share it, while that is open."""

    def end(self, *, status: int | None) -> None:
        """
        Close the entry: with what was answered, or None when the connection was cut.
        """
        self.status = status
        self.ended = Instant.now()

    def is_about(self, target: str) -> bool:
        """
        Whether it concerned this resource or one below it. ARM ids and secret names ignore case.
        """
        mine, theirs = self.target.casefold(), target.casefold().rstrip("/")
        return mine == theirs or mine.startswith(theirs + "/")


class RequestLog:
    """
    Every request to every service, in the order of arrival.
    """

    def __init__(self) -> None:
        self._entries: list[LoggedRequest] = []

    def __iter__(self) -> Iterator[LoggedRequest]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def open(self, service: str, method: str, path: str, caller: int | None = None) -> LoggedRequest:
        """
        Enter a request that has just arrived.
        """
        entry = LoggedRequest(len(self._entries) + 1, service, method, path, caller=caller)
        self._entries.append(entry)
        return entry

    def of(self, operation: str, *, target: str | None = None, took_effect: bool | None = None) -> list[LoggedRequest]:
        """
        Return the requests for an operation, on a target and below it if given, with or without effect if asked.
        """
        return [
            entry
            for entry in self._entries
            if entry.operation == operation
            and (target is None or entry.is_about(target))
            and (took_effect is None or entry.took_effect == took_effect)
        ]

    def count(self, operation: str, *, target: str | None = None, took_effect: bool | None = None) -> int:
        """
        How many `of` finds.
        """
        return len(self.of(operation, target=target, took_effect=took_effect))

    def clear(self) -> None:
        """
        Forget what was logged; numbering starts over.
        """
        self._entries.clear()
