"""
Azure Resource Manager's throttling: all requests of a subscription wait for it together.

ARM takes a token for each request from a bucket of the subscription, the caller and the kind of request: 250 for reads,
refilled by 25 a second, 200 for writes, refilled by 10, less for some subscriptions (Microsoft Learn, Understand how
Azure Resource Manager throttles requests). It answers how many are left. A POST is a write, so that listing keys costs
as much as regenerating one (recorded answers of Batch's listKeys and regenerateKeys).

It rests on assumptions 18, 20, 21 and 77 of docs/fidelity.md.
"""

import asyncio
import logging
import math
import re
from datetime import timedelta
from typing import Any

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import AsyncHTTPPolicy

from adapters.arm_answers import Kind, is_likely_of_resource_manager, requests_left, text_of, whole_number
from rotation.vocabulary.errors import Unavailable
from rotation.vocabulary.limits import AMPLE_AT, CALM, LONGEST_HOLD, LONGEST_WAIT_AT_THE_GATE, PACE, SCARCE_AT
from rotation.vocabulary.timing import Clock, Deadline

_log = logging.getLogger(__name__)

_SUBSCRIPTION = re.compile(r"/subscriptions/([^/?#]+)", re.IGNORECASE)


class Throttling:
    """
    What is known of the throttling of each subscription: one for all clients of the process.
    """

    def __init__(self, clock: Clock, longest_wait: float = LONGEST_WAIT_AT_THE_GATE) -> None:
        self._clock = clock
        self._longest_wait = longest_wait
        self._gates: dict[str, _Gate] = {}

    def gate(self, url: str) -> "_Gate | None":
        """
        Return where the requests of a URL's subscription pass, None for a URL without one.
        """
        found = _SUBSCRIPTION.search(url)
        if found is None:
            return None
        subscription = found[1].lower()
        if subscription not in self._gates:
            self._gates[subscription] = _Gate(subscription, self._clock, self._longest_wait)
        return self._gates[subscription]

    async def has_room(self, url: str, requests: int) -> bool:
        """
        Return whether so many requests that can wait take nothing from others, after they have waited for their turn.
        """
        gate = self.gate(url)
        return gate is None or await gate.has_room(requests)


class ThrottlingPolicy(AsyncHTTPPolicy[Any, Any]):
    """
    Lets each request of a client pass when it is its turn, and never sends one twice.

    It has to be the last policy: what comes after it is sent, and the transport checks the deadline after the wait.
    """

    def __init__(self, throttling: Throttling) -> None:
        self._throttling = throttling

    async def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """
        Send a request when ARM is likely to take it.

        Raises `Unavailable` where that takes too long, or longer than the `deadline` of the call: nothing was sent.
        """
        gate = self._throttling.gate(request.http_request.url)
        if gate is None:
            return await self.next.send(request)
        # The option stays where it is: the transport takes it.
        passed_at = await gate.enter(request.context.options.get("deadline"))
        response = await self.next.send(request)
        kind: Kind = "read" if request.http_request.method == "GET" else "write"
        answer = response.http_response
        if answer.status_code in {429, 503}:
            is_own = is_likely_of_resource_manager(answer.status_code, answer.headers, text_of(answer))
            gate.learn_of_refusal(
                kind, answer.status_code, whole_number(answer.headers.get("Retry-After")), is_own=is_own
            )
        else:
            gate.learn(kind, passed_at, requests_left(answer.headers, kind))
        return response


class _Gate:
    """
    The way to ARM for the requests of one subscription: free, one after the other, or closed until a certain time.

    Requests wait in the order of arrival, reads and writes alike. Times are those of the monotonic clock.
    """

    def __init__(self, subscription: str, clock: Clock, longest_wait: float) -> None:
        self._subscription = subscription
        self._clock = clock
        self._longest_wait = longest_wait
        self._turn = asyncio.Lock()  # Serves in the order of arrival, and passes over who was cancelled.
        self._spare_turn = asyncio.Lock()
        self._spare_at = -math.inf
        self._queued = 0
        self._held_until = -math.inf
        self._next_at = -math.inf
        self._scarce_until: dict[Kind, float] = {}
        self._is_told = False
        self._waited = 0
        self._put_off = 0

    async def enter(self, deadline: Deadline | None) -> float:
        """
        Come back when a request may be sent, with the time of that.

        Raises `Unavailable` at once where that would be too late, and `OutOfTime` where it is already.
        """
        now = self._clock.monotonic()
        self._tell_if_over(now)
        if self._queued or self._wait(now) > 0:
            now = await self._queue(now, deadline)
        self._next_at = now + PACE
        return max(now, self._held_until)

    async def has_room(self, requests: int) -> bool:
        """
        Wait until what can wait may pass, which goes no faster than ARM refills; return whether all may pass freely.
        """
        async with self._spare_turn:
            await self._clock.sleep(max(0.0, self._spare_at - self._clock.monotonic()))
            now = self._clock.monotonic()
            self._spare_at = now + requests * PACE
        return not (self._queued or self._is_scarce(now) or self._wait(now) > 0)

    def learn(self, kind: Kind, passed_at: float, left: int | None) -> None:
        """
        Learn how many requests of a kind are left, from the answer to one that passed at a certain time.
        """
        now = self._clock.monotonic()
        if left is not None and left <= SCARCE_AT:
            self._expect_scarcity(kind, now)
        elif left is not None and left >= AMPLE_AT and passed_at >= self._held_until:
            self._scarce_until.pop(kind, None)
        self._tell_if_over(now)

    def learn_of_refusal(self, kind: Kind, status: int, asked_for: int | None, *, is_own: bool) -> None:
        """
        Close the way for as long as ARM itself asks.

        A 429 that is not proved to be ARM's own is the resource provider's, or that of one site behind it. Whom else it
        concerns is not known: all wait a little if that is what it asks for, and nobody is put off for it. A 503 of a
        provider is no throttling.
        """
        now = self._clock.monotonic()
        hold: float = asked_for or 0
        if is_own:
            hold = min(hold, LONGEST_HOLD)
            concerns_all = status == 429 or hold > 0  # noqa: PLR2004 - an HTTP status
        else:
            concerns_all = status == 429 and 0 < hold <= self._longest_wait  # noqa: PLR2004 - an HTTP status
        if concerns_all:
            self._held_until = max(self._held_until, now + hold)
            self._expect_scarcity(kind, now)
            if hold:
                self._tell(f"it refuses {kind}s for {hold:.0f} s")
        self._tell_if_over(now)

    def _expect_scarcity(self, kind: Kind, now: float) -> None:
        # It outlasts the time in which the way is closed: after that, requests must not come all at once.
        self._scarce_until[kind] = max(now, self._held_until) + CALM

    async def _queue(self, arrived: float, deadline: Deadline | None) -> float:
        self._require(self._wait(arrived) + self._queued * PACE, 0, deadline)
        self._tell("they pass one after the other")
        self._waited += 1
        self._queued += 1
        try:
            async with self._turn:
                # Asked again each time: meanwhile another answer may have closed the way for longer.
                while (wait := self._wait(now := self._clock.monotonic())) > 0:
                    self._require(wait, now - arrived, deadline)
                    await self._clock.sleep(wait)
                return now
        finally:
            self._queued -= 1

    def _wait(self, now: float) -> float:
        """
        Return the seconds until the next request may pass, 0 or less for now; a part of a millisecond is no wait.
        """
        until = max(self._held_until, self._next_at) if self._is_scarce(now) else self._held_until
        return round(until - now, 3)

    def _is_scarce(self, now: float) -> bool:
        return any(now < until for until in self._scarce_until.values())

    def _require(self, wait: float, waited: float, deadline: Deadline | None) -> None:
        if deadline:
            deadline.check()
        if waited + wait <= self._longest_wait and (deadline is None or wait < deadline.remaining):
            return
        self._put_off += 1
        raise Unavailable(
            f"Azure Resource Manager throttles subscription {self._subscription}; this request was not sent",
            retry_after=timedelta(seconds=math.ceil(wait)),
        )

    def _tell(self, because: str) -> None:
        if not self._is_told:
            self._is_told = True
            _log.warning(
                "Azure Resource Manager throttles subscription %s, whose requests are held back: %s",
                self._subscription,
                because,
            )

    def _tell_if_over(self, now: float) -> None:
        if not self._is_told or self._queued or self._is_scarce(now):
            return
        _log.warning(
            "Azure Resource Manager has room for subscription %s again; %d requests had waited, %d had been put off",
            self._subscription,
            self._waited,
            self._put_off,
        )
        self._is_told = False
        self._waited = self._put_off = 0
