"""
Azure Resource Manager's limits: who asks too often is told to wait.

It rests on assumptions 3, 4, 18, 19 and 20 of docs/fidelity.md.
"""

import math
import re
import time
from collections.abc import Callable, Mapping

from localcloud.azure.dialect import OBJECT_ID
from localcloud.azure.refusal import Refusal
from localcloud.azure.wordings import GATEWAY

_SUBSCRIPTION = re.compile(r"/subscriptions/([^/]+)", re.IGNORECASE)
_COUNTS_OTHERWISE = re.compile(
    "/providers/(?:Microsoft.Web/sites/[^/]+/(?:.*/list|hostruntime/.*)|Microsoft.Storage/storageAccounts/[^/]+/listKeys)$",
    re.IGNORECASE,
)
_ALL_CALLERS = 15  # times the limit of one caller (Microsoft Learn, Request limits and throttling)
_DEFAULT_SIZE = {"reads": 250, "writes": 200}


class Throttle:
    """
    A bucket of requests for each subscription, one for reads and one for writes; a POST is a write.

    Until it is given a limit it refuses nothing, and its headers show full buckets.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._limit: tuple[int, float] | None = None
        self._buckets: dict[tuple[str, str], _Bucket] = {}

    def limit(self, *, bucket: int, per_second: float) -> None:
        """
        Let each bucket hold so many requests, be full now, and be refilled at that rate.
        """
        if bucket < 1 or per_second <= 0:
            raise ValueError("a bucket that holds nothing, or is never refilled, lets nobody in")
        self._limit = bucket, per_second
        self._buckets.clear()

    def admit(self, method: str, path: str) -> None:
        """
        Take a request from its bucket. Raises ARM's `Refusal` if that is empty; a refused request costs nothing.
        """
        if (bucket := self._bucket(method, path)) is None:
            return
        if seconds := bucket.take(self._clock()):
            subscription, kind = _key(method, path)
            message = (
                f"Number of '{kind.removesuffix('s')}' requests for subscription '{subscription}' actor '{OBJECT_ID}' "
                f"exceeded. Please try again after '{seconds}' seconds."
            )
            headers = GATEWAY | {"Retry-After": str(seconds)}
            raise Refusal(429, "SubscriptionRequestsThrottled", message, headers=headers)

    def headers(self, method: str, path: str) -> Mapping[str, str]:
        """
        Return what ARM's answer to a request says of the requests that are left.

        Some actions of providers count something else, and say nothing of reads and writes (recorded for `.../list` of
        Microsoft.Web and listKeys of Microsoft.Storage; a guess for Logic Apps).
        """
        subscription, kind = _key(method, path)
        if not subscription:
            return {}
        if kind == "writes" and _COUNTS_OTHERWISE.search(path):
            return {"x-ms-ratelimit-remaining-subscription-resource-requests": "11999"}
        bucket = self._bucket(method, path)
        left = bucket.left(self._clock()) if bucket else _DEFAULT_SIZE[kind] - 1
        return {
            f"x-ms-ratelimit-remaining-subscription-{kind}": str(left),
            f"x-ms-ratelimit-remaining-subscription-global-{kind}": str(_DEFAULT_SIZE[kind] * _ALL_CALLERS - 1),
        }

    def _bucket(self, method: str, path: str) -> "_Bucket | None":
        key = _key(method, path)
        if self._limit is None or not key[0]:
            return None
        if key not in self._buckets:
            self._buckets[key] = _Bucket(*self._limit, self._clock())
        return self._buckets[key]


class _Bucket:
    """
    So many requests, less those taken, and more with time.
    """

    def __init__(self, size: int, per_second: float, now: float) -> None:
        self._size = size
        self._per_second = per_second
        self._tokens = float(size)
        self._filled_at = now

    def take(self, now: float) -> int:
        """
        Take one, or return the whole seconds until there is one.
        """
        self._fill(now)
        if self._tokens >= 1:
            self._tokens -= 1
            return 0
        return math.ceil((1 - self._tokens) / self._per_second)

    def left(self, now: float) -> int:
        self._fill(now)
        return int(self._tokens)

    def _fill(self, now: float) -> None:
        self._tokens = min(self._size, self._tokens + (now - self._filled_at) * self._per_second)
        self._filled_at = now


def _key(method: str, path: str) -> tuple[str, str]:
    """
    Return the subscription, empty if there is none, and the kind of request.
    """
    found = _SUBSCRIPTION.match(path)
    return found[1].casefold() if found else "", "reads" if method == "GET" else "writes"
