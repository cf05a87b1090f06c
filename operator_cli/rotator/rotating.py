"""
Asks for rotations and sees them through: those of one target one after another, different targets side by side.
"""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rotator.api import Seen
from rotator.errors import CommandError, ExitCode, Refusal, StillRunning, TooSoon
from rotator.records import Rotation
from rotator.remedies import COMMAND
from rotator.times import time
from rotator.watching import Watcher


@dataclass(frozen=True)
class Order:
    """
    A rotation to ask for: the body of the request, its name on the screen, and what it must not overlap with.
    """

    label: str
    body: Mapping[str, Any]
    lane: str

    @property
    def about(self) -> Mapping[str, str]:
        """
        The secret or the target.
        """
        return {name: self.body[name] for name in ("secret", "target") if name in self.body}


@dataclass(frozen=True)
class Outcome:
    """
    What became of a rotation: a record, an error, or both. `about` tells JSON output which one it is.
    """

    label: str
    about: Mapping[str, str]
    rotation: Rotation | None
    error: CommandError | None = None

    @property
    def exit_code(self) -> ExitCode:
        """
        What this one alone would end the command with.
        """
        if self.error:
            return self.error.exit_code
        return ExitCode.FAILED if self.rotation and self.rotation.is_refused else ExitCode.DONE


def exit_code(outcomes: Sequence[Outcome]) -> ExitCode:
    """
    Return what the command ends with: the code that all failures share, else that something failed.
    """
    codes = {outcome.exit_code for outcome in outcomes} - {ExitCode.DONE}
    return codes.pop() if len(codes) == 1 else ExitCode.FAILED if codes else ExitCode.DONE


async def see_through(watcher: Watcher, label: str, about: Mapping[str, str], seen: Seen) -> Outcome:
    """
    Return what becomes of a rotation, in the time that there is for it.
    """
    try:
        rotation = await watcher.until_ended(label, seen)
    except CommandError as error:
        return Outcome(label, about, seen.rotation, error)
    if rotation.has_ended:
        return Outcome(label, about, rotation)
    if early := _too_soon(rotation):
        return Outcome(label, about, rotation, early)
    late = StillRunning(
        f"rotation {rotation.id} is still {rotation.state}",
        f"it goes on in the app: `{COMMAND} watch {rotation.id}`",
    )
    return Outcome(label, about, rotation, late)


@dataclass(frozen=True)
class Rotating:
    """
    Carries orders out, at most `parallel` at a time; `is_watching` says whether the last of each lane is waited for.
    """

    watcher: Watcher
    parallel: int
    is_watching: bool
    idempotency_key: str | None

    async def carry_out(self, orders: Sequence[Order]) -> list[Outcome]:
        """
        Return what became of each order, in their order.
        """
        self.watcher.underway.waiting = len(orders)
        lanes: dict[str, list[int]] = {}
        for number, order in enumerate(orders):
            lanes.setdefault(order.lane, []).append(number)
        outcomes: dict[int, Outcome] = {}
        free = asyncio.Semaphore(self.parallel)

        async def run(lane: list[int]) -> None:
            async with free:
                revocations: set[str] = set()
                for number in lane:
                    # The next one of a lane would find its target busy.
                    is_watched = self.is_watching or number != lane[-1]
                    key = self._key_for(orders[number], is_alone=len(orders) == 1)
                    outcome = await self._rotate(orders[number], key, is_watched=is_watched)
                    outcome = await self._moved(orders[number], outcome, revocations)
                    if outcome.rotation and outcome.rotation.revocation:
                        revocations.add(outcome.rotation.revocation.id)
                    outcomes[number] = outcome

        async with asyncio.TaskGroup() as group:
            for lane in lanes.values():
                group.create_task(run(lane))
        return [outcomes[number] for number in range(len(orders))]

    async def plan(self, orders: Sequence[Order]) -> list[Outcome]:
        """
        Return what would become of each order.
        """
        free = asyncio.Semaphore(self.parallel)

        async def plan(order: Order) -> Outcome:
            async with free:
                try:
                    return Outcome(order.label, order.about, await self.watcher.api.plan(order.body))
                except CommandError as error:
                    return Outcome(order.label, order.about, None, error)

        return list(await asyncio.gather(*(plan(order) for order in orders)))

    async def _rotate(self, order: Order, key: str, *, is_watched: bool) -> Outcome:
        underway = self.watcher.underway
        underway.waiting -= 1
        underway.sent += 1
        try:
            seen = await self.watcher.api.request(order.body, key)
        except CommandError as error:
            # An interruption leaves it counted: nobody knows then whether the app has it.
            underway.sent -= 1
            return Outcome(order.label, order.about, None, error)
        underway.sent -= 1
        if is_watched:
            return await see_through(self.watcher, order.label, order.about, seen)
        self.watcher.progress.tell(order.label, seen.rotation)
        return Outcome(order.label, order.about, seen.rotation, _too_soon(seen.rotation))

    async def _moved(self, order: Order, outcome: Outcome, revocations: set[str]) -> Outcome:
        """
        Return how a secret was moved that shares the leaked key of one which was reported a moment ago.

        By now it holds the other key, whose report the app refuses.
        """
        refusal = outcome.error
        if not isinstance(refusal, Refusal) or refusal.rotation_id not in revocations:
            return outcome
        try:
            last = (await self.watcher.api.secret(str(order.body["secret"]))).last_rotation
            move = (await self.watcher.api.rotation(last.id)).rotation if last else None
        except CommandError:
            return outcome
        is_moved = move and move.revocation and move.revocation.id == refusal.rotation_id
        return Outcome(order.label, order.about, move) if is_moved else outcome

    def _key_for(self, order: Order, *, is_alone: bool) -> str:
        """
        Return the Idempotency-Key, which makes every request safe to repeat; several orders never share one.
        """
        if self.idempotency_key is None:
            return str(uuid.uuid4())
        if is_alone:
            return self.idempotency_key
        about = " ".join(order.about.values()).lower()
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.idempotency_key} {about}"))


def _too_soon(rotation: Rotation) -> TooSoon | None:
    """
    Return the error of a rotation that the app has deferred, None for any other.
    """
    until = rotation.waits_until(datetime.now(UTC))
    if until is None:
        return None
    return TooSoon(
        f"rotation {rotation.id} waits: clients may go on with the key until {time(until)}",
        "it begins by itself then; --ignore-grace rotates now, for clients that read every new version at once "
        "(with another --idempotency-key, if you gave one)",
    )
