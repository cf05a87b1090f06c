"""
What the demo does: rotations in a local cloud, while clients use the keys without pause.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from rich.table import Table

from localcloud.azure.event import Schema
from localcloud.cloud import LocalCloud
from localcloud.dead_keys import DeadKeys, FormerKeys
from localcloud.inbox import Inbox
from localcloud.leaks import LeakReport, Place, find_leaks, places_of
from localcloud.narrator import Narrator, listed
from localcloud.rotation_feed import RotationFeed
from localcloud.scenario import Rotated, Scenario
from localcloud.showcase import SECRETS, fill, headline
from localcloud.witness import Witness

_ROTATIONS = len(SECRETS) + 1
_CALLS = "calls with the current version of each secret and the one before"
_CALLS_BEFORE = 5
_CALLS_AFTER = 20


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """
    What was counted.
    """

    completed: int
    """Rotations that their record calls Completed and whose version was the secret's current one."""
    announced: int
    """Rotations whose completion event a subscriber received."""
    failed_calls: int
    idle_clients: int
    """Clients that made no call: they prove nothing."""
    refused: int
    """Keys that died, and that their service refused."""
    leaks: int

    @property
    def line(self) -> str:
        """
        The last line of the demo.
        """
        return (
            f"demo: {self.completed} rotations completed, {self.failed_calls} failed client calls, "
            f"{self.leaks} secrets leaked"
        )

    @property
    def status(self) -> int:
        """
        The exit status: 0 if all is as it should be.
        """
        is_complete = self.completed == self.announced == self.refused == _ROTATIONS
        is_bad = self.failed_calls or self.idle_clients or self.leaks
        return 0 if is_complete and not is_bad else 1


def judge(
    rotated: Sequence[Rotated], witnesses: Sequence[Witness], dead: Sequence[DeadKeys], leaks: LeakReport
) -> Verdict:
    """
    Count.
    """
    return Verdict(
        completed=sum(rotation.is_confirmed for rotation in rotated),
        announced=sum(rotation.event is not None for rotation in rotated),
        failed_calls=sum(len(witness.failures) for witness in witnesses),
        idle_clients=sum(not witness.calls for witness in witnesses),
        refused=sum(len(keys.answers) - keys.unrefused for keys in dead),
        leaks=leaks.count,
    )


def tables(rotated: Sequence[Rotated], witnesses: Sequence[Witness]) -> list[Table]:
    """
    Return what was done to the secrets, and what their clients met with.
    """
    rotations = Table("secret", "started by", "key", "took")
    for rotation in rotated:
        event = rotation.event.data if rotation.event and rotation.is_confirmed else None
        changed = f"{event['previousKeyName']} -> {event['keyName']}" if event else ""
        took = f"{rotation.seconds:.2f} s" if rotation.seconds is not None else ""
        rotations.add_row(rotation.secret, rotation.trigger, changed, took)
    clients = Table("secret", "client", "current", "one before", "not counted", "failed", title=_CALLS)
    for witness in witnesses:
        counts = (witness.calls_with_current, witness.calls_with_previous, witness.discarded, len(witness.failures))
        clients.add_row(witness.secret, witness.client, *map(str, counts))
    return [rotations, clients]


async def show(directory: Path) -> int:
    """
    Run the demo and return the exit status.
    """
    narrator = Narrator()
    narrator.say(headline(), "bold")
    started = time.monotonic()
    cloud, inbox = LocalCloud(directory), Inbox()
    async with cloud, inbox, RotationFeed(cloud.host, cloud.log, narrator.tell_step) as feed:
        narrator.say(
            f"Up in {time.monotonic() - started:.1f} s on this machine: the app in a Functions host, Azurite, "
            "Key Vault, Azure Resource Manager, Event Grid and the services that the keys open."
        )
        contents = await fill(cloud)
        former = FormerKeys(contents)
        await cloud.azure.topic.subscribe(inbox.url)
        witnesses = [Witness(cloud.azure, cloud.vault, secret, made.consumer()) for secret, made in contents.items()]
        async with Scenario(cloud, feed, inbox, narrator) as scenario:
            async with AsyncExitStack() as watching:
                for witness in witnesses:
                    await watching.enter_async_context(witness)
                with narrator.pulse(lambda: _pulse(witnesses)):
                    rotated = await _rotate(scenario, witnesses, narrator)
            answers = scenario.answers
        dead = await _try_dead(former, cloud, narrator)
    delivered = [Place("events at a subscriber", body) for body in inbox.bodies]
    told = [*answers, *delivered, Place("output of the demo", narrator.said)]
    leaks = find_leaks(cloud.azure.key_history, [*places_of(cloud), *told])
    narrator.say()
    for table in tables(rotated, witnesses):
        narrator.console.print(table)
    verdict = judge(rotated, witnesses, dead, leaks)
    _explain(narrator, witnesses, leaks, verdict)
    narrator.say(verdict.line, "bold green" if verdict.status == 0 else "bold red")
    return verdict.status


async def _rotate(scenario: Scenario, witnesses: Sequence[Witness], narrator: Narrator) -> list[Rotated]:
    narrator.say(f"From now on, clients that use {listed(SECRETS)} make calls without pause.")
    await scenario.watch(witnesses, calls=_CALLS_BEFORE)
    schemas: Iterator[Schema] = cycle(("EventGridSchema", "CloudEventSchemaV1_0"))
    rotated = [await scenario.near_expiry(secret, next(schemas)) for secret in SECRETS]
    rotated.append(await scenario.by_hand(SECRETS[0], "the quarter is over"))
    await scenario.watch(witnesses, calls=_CALLS_AFTER)
    return rotated


async def _try_dead(former: FormerKeys, cloud: LocalCloud, narrator: Narrator) -> list[DeadKeys]:
    narrator.say()
    narrator.say("Each key of the beginning that was replaced is tried: its service must refuse it.", "bold")
    dead = await former.use_dead(cloud.azure.ca)
    for keys in dead:
        narrator.say(f"   {keys}", "red" if keys.unrefused else "")
    return dead


def _pulse(witnesses: Sequence[Witness]) -> str:
    told = (f"{witness.secret}: {witness.calls} calls, {len(witness.failures)} failed" for witness in witnesses)
    return f"clients at work  {'  '.join(told)}"


def _explain(narrator: Narrator, witnesses: Sequence[Witness], leaks: LeakReport, verdict: Verdict) -> None:
    for witness in witnesses:
        for failure in witness.failures:
            narrator.say(f"failed call with {witness.secret}: {failure}", "red")
    narrator.say(
        f"Leak scan: {leaks.values} keys and signatures, live and dead, in any encoding: "
        f"{leaks.count} found in {leaks.places} places ({leaks.size / 1000:,.0f} kB)."
    )
    for leak in leaks.leaks:
        narrator.say(f"leak: {leak}", "red")
    if verdict.refused != _ROTATIONS:
        narrator.say(f"{verdict.refused} of {_ROTATIONS} keys died and are refused", "red")
    if verdict.announced != _ROTATIONS:
        narrator.say(f"{verdict.announced} of {_ROTATIONS} completion events were received", "red")
    if verdict.idle_clients:
        narrator.say(f"{verdict.idle_clients} clients made no call", "red")
