"""
One lane of the soak: it takes one subject after the other, and has its secrets rotated under faults.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from itertools import cycle
from typing import TypeAlias

from localcloud.consumers import Consumer
from localcloud.rotation_feed import StuckError
from localcloud.secret_user import SecretUser
from rotation.vocabulary.request import Trigger
from tests.chaos.judge import Broken
from tests.chaos.plan import Ask, Plan, Step
from tests.chaos.scene import Scene
from tests.chaos.subject import Subject, make_subject

_PATIENCE = 150  # seconds until a step is over
_TRIES = 40  # seconds in which a rotation that can begin has begun
_CALLS = 2  # of a caller whose first one was too soon
_EVENTS = (Trigger.SECRET_NEAR_EXPIRY, Trigger.SECRET_EXPIRED)

Watch: TypeAlias = Callable[[str, Consumer], SecretUser]
"""Makes a witness of a secret."""


class Lane:
    """
    Works on subjects of its own, one at a time.
    """

    def __init__(self, scene: Scene) -> None:
        self.witnesses: list[SecretUser] = []
        self.broken: list[Broken] = []
        self._scene = scene

    async def run(self, name: str, plan: Plan, watch: Watch | None) -> None:
        """
        Carry out a plan on a new subject, whose secrets have witnesses if they are watched.
        """
        subject = await make_subject(self._scene.cloud, plan.kind, name, secrets=plan.secrets, shape=plan.shape)
        # Its own, so that it follows from the seed whatever other lanes do meanwhile.
        subject.target.keys.settling = cycle(plan.settling).__next__
        self._scene.subjects.append(subject)
        if plan.is_foreign:
            await self._lead_astray(subject, name)
        async with AsyncExitStack() as watching:
            witnesses = [
                await watching.enter_async_context(watch(secret, subject.consumer()))
                for secret in subject.secrets
                if watch
            ]
            try:
                # Before anything happens, and when it has: what they hold by then is used as well.
                await asyncio.gather(*(witness.use_all() for witness in witnesses))
                for step in (*self._acquaintance(plan), *plan.steps):
                    await self._take(subject, step)
                await asyncio.gather(*(witness.use_all() for witness in witnesses))
            except StuckError as error:
                self.broken.append(Broken(4, subject.arm_id, str(error)))
        self.witnesses += witnesses

    def _acquaintance(self, plan: Plan) -> Iterator[Step]:
        """
        Give a first rotation, without faults, for each of several secrets.

        The app knows a new neighbour after five minutes at most, or once it was rotated: minutes are not to be had.
        """
        if plan.secrets > 1:
            for number in range(plan.secrets):
                yield Step((Ask(number, Trigger.SECRET_NEAR_EXPIRY, 1, {}),), ())

    async def _take(self, subject: Subject, step: Step) -> None:
        scene = self._scene
        first = subject.rotation_id(subject.secrets[step.asks[0].secret], step.asks[0].trigger)
        armed = [scene.arm(fault) for planned in step.faults for fault in planned.faults(subject, first)]
        try:
            asked = (self._ask(subject, ask) for ask in step.asks)
            changed = (scene.change(subject, subject.secrets[each.secret], each.days) for each in step.changes)
            found, _ = await asyncio.gather(asyncio.gather(*asked), asyncio.gather(*changed))
            rotations = set[str]().union(*found)
            if await scene.until(lambda: all(map(scene.is_over, rotations)), seconds=_TRIES):
                return
            # What has not begun by now met other rotations of its target at every try: the scene holds it to that.
            begun = rotations & scene.ledger.rotations
            if not await scene.until(lambda: all(map(scene.is_over, begun)), seconds=_PATIENCE - _TRIES):
                for rotation in sorted(rotation for rotation in begun if not scene.is_over(rotation)):
                    self.broken.append(Broken(4, rotation, f"{subject.arm_id}: no end within {_PATIENCE} s"))
        finally:
            for fault in armed:
                scene.repair(fault)

    async def _ask(self, subject: Subject, ask: Ask) -> set[str]:
        """
        Ask for a rotation; return the ids that are known to come of it.
        """
        secret = subject.secrets[ask.secret]
        trigger = next(
            (trigger for trigger in (ask.trigger, *_EVENTS) if self._is_new(subject, secret, trigger)), Trigger.HTTP
        )
        if trigger is Trigger.HTTP:
            return await self._call(subject, secret, ask)
        rotation = subject.rotation_id(secret, trigger)
        await asyncio.gather(*(self._scene.tell(subject, secret, trigger) for _ in range(ask.copies)))
        return {rotation}

    async def _call(self, subject: Subject, secret: str, ask: Ask) -> set[str]:
        """
        Ask as a caller does, and where that was too soon, once more when it is time.
        """
        rotations: set[str] = set()
        for _ in range(_CALLS):
            prefer = "respond-async" if ask.is_async else ""
            _, answer = await self._scene.ask(subject, secret, prefer=prefer, **ask.options)
            # A problem that names no rotation, or none at all, has left no trace that is known here.
            if rotation := answer.get("id") or answer.get("rotationId"):
                rotations.add(rotation)
            if answer.get("code") != "too_soon":
                break
            wait = datetime.fromisoformat(answer["allowedOn"]) - datetime.now(UTC)
            await asyncio.sleep(max(0.0, wait.total_seconds()))
        return rotations

    def _is_new(self, subject: Subject, secret: str, trigger: Trigger) -> bool:
        return trigger is Trigger.HTTP or not self._scene.ledger.outcome(subject.rotation_id(secret, trigger))

    async def _lead_astray(self, subject: Subject, name: str) -> None:
        """
        Let a secret's tags name a target outside the scopes, and its event come in.
        """
        cloud, secret = self._scene.cloud, f"{name}-astray"
        decoy = await subject.kind.make(cloud.azure, f"decoy{name}", resource_group="rg-local2")
        cloud.put_secret(secret, decoy.value("Primary"), decoy.address)
        await self._scene.tell(subject, secret)
