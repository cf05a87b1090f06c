"""
Promise 1 over random pasts: whatever was stored, moved or removed, a key dies only when its clients have let it go.
"""

import asyncio
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from rotation.vocabulary.endings import SkipReason
from rotation.vocabulary.record import Rotation
from rotation.vocabulary.secret import SecretId
from rotation.vocabulary.target import KeyName
from tests.twins.world import VAULT, TwinWorld

PRIMARY, SECONDARY = KeyName
HOUR, GRACE = timedelta(hours=1), timedelta(hours=4)
NAMES = ("one", "two", "three")
Step = tuple[str, int, KeyName]

STEPS = st.tuples(
    st.sampled_from(["rotate", "rotate", "rotate", "store", "wait"]), st.integers(0, 3), st.sampled_from(KeyName)
)
LEAVING = st.tuples(st.sampled_from(["move", "unmanage", "delete"]), st.integers(0, 3), st.sampled_from(KeyName))


class Past:
    """
    A world, and which value each of its managed secrets held until when.
    """

    def __init__(self) -> None:
        self.world = TwinWorld()
        self.world.grace = GRACE
        self.world.rotator = self.world.worker()
        self.present = ["one"]
        for name in NAMES[1:]:
            self.world.put(name)
            self.present.append(name)
        self.ended: list[tuple[str, datetime]] = []
        self.broken: list[str] = []
        self.world.clock.advance(10 * GRACE)
        self._live = self._values()
        self.world.provider.watch = self._look

    async def take(self, step: Step) -> Rotation | None:
        """
        Do one thing; return the record where that is a rotation.
        """
        verb, number, key = step
        # Of versions of one second nobody knows the order.
        self.world.clock.advance(number * HOUR + timedelta(seconds=1))
        if verb == "wait" or not self.present:
            return None
        name = self.present[number % len(self.present)]
        if verb == "rotate":
            before = self._value(name)
            rotation = await self.world.rotate(self.world.manual(name))
            if self._value(name) != before:
                self._end(before)
            return rotation
        self._end(self._value(name))
        if verb == "store":
            self.world.put(name, key=key)
            return None
        self.present.remove(name)
        if verb == "delete":
            self.world.delete(name)
        else:
            tags = {"ProviderAddress": self.world.address.replace("account1", "account9")}
            self.world.put(name, tags, value="a key of something else", bare=verb == "unmanage")
            self.world.unmanage(name)
        return None

    def held_until(self, value: str) -> datetime | None:
        """
        Return until when a managed secret held a value last.
        """
        return max((until for ended, until in self.ended if ended == value), default=None)

    def _value(self, name: str) -> str:
        value = self.world.current(name).value
        return value.reveal() if value else ""

    def _end(self, value: str) -> None:
        self.ended.append((value, self.world.clock.now()))

    def _values(self) -> set[str]:
        return {self.world.provider.value(self.world.target, key) for key in KeyName}

    def _look(self) -> None:
        now, before, self._live = self.world.clock.now(), self._live, self._values()
        for value in before - self._live:
            until = self.held_until(value)
            if until and now - until < GRACE:
                self.broken.append(f"a key dies at {now} that was held until {until}")


async def live_through(steps: list[Step]) -> tuple[Past, list[tuple[Rotation, datetime | None]]]:
    """
    Return what has become of a world, and each rotation with until when its key was held.
    """
    past = Past()
    for name in NAMES:  # Each is bound, as by a sweep.
        await past.world.ledger.bind(past.world.target.identity, SecretId(VAULT, name))
    rotations: list[tuple[Rotation, datetime | None]] = []
    for step in steps:
        keys = {key: past.world.provider.value(past.world.target, key) for key in KeyName}
        if rotation := await past.take(step):
            until = past.held_until(keys[rotation.key_name]) if rotation.key_name else None
            rotations.append((rotation, until))
    return past, rotations


@given(st.lists(st.one_of(STEPS, LEAVING), max_size=25))
@settings(max_examples=100, deadline=None)
def test_no_key_dies_that_was_held_within_the_grace_time(steps: list[Step]) -> None:
    """
    Rotations, versions by hand, and secrets that leave, in any order.
    """
    past, _ = asyncio.run(live_through(steps))

    assert not past.broken
    assert past.world.outages == 0


@given(st.lists(STEPS, max_size=25))
@settings(max_examples=100, deadline=None)
def test_nothing_is_too_soon_without_a_reason(steps: list[Step]) -> None:
    """
    Where no secret leaves, it is too soon exactly where one held the key, and until that is over.
    """
    _, rotations = asyncio.run(live_through(steps))

    for rotation, until in rotations:
        if rotation.skip_reason is SkipReason.TOO_SOON:
            assert until is not None
            assert rotation.allowed_on == until + GRACE
