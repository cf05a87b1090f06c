"""
One local cloud to break things in: faults and log of all services in one place, instances to kill, time that passes.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec

from localcloud.azure.certificates import CertificateAuthority
from localcloud.azure.faults import ArmedFault, Fault
from localcloud.azurite import REPOSITORY
from localcloud.cloud import LocalCloud
from localcloud.leaks import Place
from localcloud.rotation_feed import StuckError
from localcloud.running import Running
from rotation.vocabulary.request import Trigger
from tests.chaos.changes import Changes
from tests.chaos.instances import Held, Instances
from tests.chaos.judge import Broken, judge
from tests.chaos.leaks import leaks_of
from tests.chaos.ledger_history import LedgerHistory
from tests.chaos.subject import Subject
from tests.chaos.supervisor import Supervisor
from tests.e2e.client import Client

_POLL = 0.1  # seconds
_QUIET_WITHIN = 150  # seconds
_DELIVERIES = 60  # of one event, until it is taken
_CHANGES = 60  # of one tag, until its target is free
# Key Vault says in whole seconds when a version was made, and the grace time is counted from there.
_CUT_OFF = timedelta(seconds=1)
_SETTINGS = {
    # Three seconds for the ten minutes after which the message of a killed instance comes back.
    "LOCAL_QUEUE_HIDDEN_SECONDS": "3",
    # As many rotations at a time as there are lanes.
    "AzureFunctionsJobHost__extensions__queues__batchSize": "32",
    "AzureFunctionsJobHost__extensions__queues__newBatchThreshold": "32",
}


class Scene(Running):
    """
    A local cloud with all that watches and disturbs it, for `async with`. `settings` adds to what the app is told.

    Clients may use what they have read for the time `caches_for`, which follows from the app's grace time.
    """

    def __init__(
        self,
        directory: Path,
        *,
        ca: CertificateAuthority | None = None,
        grace: timedelta = timedelta(),
        **settings: str,
    ) -> None:
        settings = _SETTINGS | {"ROTATION_GRACE_HOURS": f"{grace / timedelta(hours=1):f}"} | settings
        self.cloud = LocalCloud(directory, ca=ca, app=REPOSITORY, is_impatient=True, **settings)
        self.caches_for = max(grace - _CUT_OFF, timedelta())
        self.ledger = LedgerHistory()
        self.subjects: list[Subject] = []
        self.armed: list[ArmedFault] = []
        self._repaired = 0
        self.told: set[str] = set()
        """The rotations that the events which were taken ask for."""
        self.answers: list[str] = []
        """What the HTTP API has answered."""
        self.changes = Changes()

    async def _start(self, running: AsyncExitStack) -> None:
        await running.enter_async_context(self.cloud)
        self.cloud.storage.requests = self.cloud.azure.requests
        self.cloud.storage.faults = self.cloud.azure.faults
        self.cloud.storage.watch(self.ledger.take)
        self.instances = await running.enter_async_context(Instances(self.cloud))
        self.supervisor = await running.enter_async_context(
            Supervisor(
                self.cloud.storage.past_the_tap, self.instances, self.cloud.azure.requests, self.changes.is_under_way
            )
        )

    @property
    def faults(self) -> int:
        """
        How often a fault has happened, killed instances included.
        """
        return self._repaired + sum(armed.fired for armed in self.armed) + self.instances.kills

    def arm(self, fault: Fault) -> ArmedFault:
        """
        Put a fault into the script.
        """
        armed = self.cloud.azure.faults.add(fault)
        self.armed.append(armed)
        return armed

    def repair(self, armed: ArmedFault) -> None:
        """
        Let a fault happen no more, and what hangs go on.
        """
        self.armed.remove(armed)
        self._repaired += armed.fired
        armed.fired = armed.fault.times or armed.fired
        armed.release()

    def hold(self, held: Held, operation: str | None = None, target: str | None = None) -> None:
        """
        Put what holds a request into the script, of an operation on a target if given.
        """
        faults = self.cloud.azure.faults
        (faults.before if held.fault.when == "before" else faults.after)(operation, held.meet, target=target)

    async def tell(self, subject: Subject, secret: str, trigger: Trigger = Trigger.SECRET_NEAR_EXPIRY) -> None:
        """
        Deliver an event about the current version to the app's webhook, as often as Event Grid would.
        """
        rotation, event = subject.rotation_id(secret, trigger), subject.vault.event(secret, trigger)
        payload = msgspec.to_builtins(event.in_schema("EventGridSchema"))
        for _ in range(_DELIVERIES):
            with suppress(aiohttp.ClientError):
                if await (await self._client()).deliver(payload) < HTTPStatus.MULTIPLE_CHOICES:
                    self.told.add(rotation)
                    return
            await asyncio.sleep(_POLL)
        raise StuckError(f"an event about {secret} was delivered {_DELIVERIES} times and never taken")

    async def ask(
        self, subject: Subject, secret: str, *, prefer: str = "", key: str | None = None, **options: Any
    ) -> tuple[int | None, dict[str, Any]]:
        """
        Ask for a rotation through the API; return status and answer, None where the instance died meanwhile.

        `key` is the Idempotency-Key.
        """
        headers = {"Prefer": prefer} | ({"Idempotency-Key": key} if key else {})
        return await self._send("POST", "/rotations", {"secret": subject.uri(secret)} | options, headers)

    async def change(self, subject: Subject, secret: str, days: int) -> None:
        """
        Change how long the versions of a secret are valid, through the API: again while its target is being rotated.
        """
        with self.changes.making(secret, days) as made:
            for _ in range(_CHANGES):
                path = f"/secrets/{urlsplit(subject.vault.uri).netloc}/{secret}"
                status, _ = await self._send("PATCH", path, {"validityPeriodDays": days})
                made(status)
                if status != HTTPStatus.CONFLICT:
                    return
                await asyncio.sleep(_POLL)

    def judge(self) -> list[Broken]:
        """
        Return every promise that was broken here, once nothing is under way any more.
        """
        self.instances.read_logs()
        broken = judge(self.cloud.azure, self.ledger, self.subjects, self.caches_for)
        broken += [Broken(4, rotation, "it never began") for rotation in self.forgotten()]
        broken += self.changes.lost(self.subjects)
        return broken + [Broken(5, leak.owner, str(leak)) for leak in leaks_of(self.cloud, self._more_places())]

    def is_over(self, rotation: str) -> bool:
        """
        Whether a rotation has ended and was published, and nobody works on it any more.
        """
        is_settled = self.ledger.is_settled(rotation) and rotation not in self.supervisor.unfinished
        return is_settled and not self.workers(rotation)

    async def quiet(self) -> None:
        """
        Wait until every rotation that was asked for has begun, also one whose target was taken at every try, and ended.
        """
        await self.until(
            lambda: not self.forgotten() and all(map(self.is_over, self.ledger.rotations)), seconds=_QUIET_WITHIN
        )

    def workers(self, rotation: str) -> set[str]:
        """
        Return the ids of the invocations that work on a rotation, or may.
        """
        self.instances.read_logs()
        return self.instances.possible_workers(rotation)

    async def until(self, condition: Callable[[], bool], *, seconds: float) -> bool:
        """
        Wait until a condition holds, at most so long; return whether it does.
        """
        try:
            async with asyncio.timeout(seconds):
                while not condition():  # noqa: ASYNC110 - what is awaited happens in other processes
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            return False
        finally:
            if problem := self.supervisor.problem:
                raise problem
        return True

    async def _client(self) -> Client:
        client = Client(self.cloud, (await self.instances.any()).host)
        client.answers = self.answers
        return client

    async def _send(
        self, method: str, path: str, body: Any, headers: dict[str, str] | None = None
    ) -> tuple[int | None, dict[str, Any]]:
        """
        Return status and JSON of one call; no JSON where a function failed and the host answered in its place.
        """
        client = await self._client()
        try:
            status, answer, _ = await client.ask(method, path, body=body, headers=headers)
        except aiohttp.ClientError:
            return None, {}
        except ValueError:
            return HTTPStatus.INTERNAL_SERVER_ERROR, {}
        return status, answer or {}

    def forgotten(self) -> set[str]:
        """
        Return the rotations that were asked for and have not begun.
        """
        return self.told - self.ledger.rotations - self.ledger.outcomes.keys()

    def _more_places(self) -> Iterable[Place]:
        for instance in self.instances.all:
            if instance.number:
                yield Place(f"output and log of instance {instance.number}", instance.log.read_bytes())
        for answer in self.answers:
            yield Place("answers of the HTTP API", answer)
