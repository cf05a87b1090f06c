"""
When keys of a target were asked to be regenerated.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from localcloud.azure.request_log import LoggedRequest, RequestLog
from localcloud.kinds import KINDS

_OPERATIONS = frozenset(kind.regenerate for kind in KINDS)


class Regenerations:
    """
    The requests to regenerate a key of a target, those under way included.
    """

    def __init__(self, requests: RequestLog, target: str) -> None:
        self._requests = requests
        self._target = target
        self._seen = 0
        self._unrouted: list[LoggedRequest] = []
        self._latest: datetime | None = None

    def any_since(self, moment: datetime) -> bool:
        """
        Whether one came in after a moment.
        """
        for request in self._news():
            if request.operation in _OPERATIONS and request.is_about(self._target):
                self._latest = max(request.received.wall, self._latest or request.received.wall)
        return self._latest is not None and self._latest > moment

    def _news(self) -> Iterator[LoggedRequest]:
        """
        Give every request once, as soon as it is known what for.
        """
        if len(self._requests) < self._seen:
            self._seen = 0  # The log was cleared.
        waiting = [*self._unrouted, *islice(self._requests, self._seen, None)]
        self._seen = len(self._requests)
        self._unrouted = []
        for request in waiting:
            if request.operation == "Unknown" and request.ended is None:
                self._unrouted.append(request)
            else:
                yield request
