"""
One local cloud to break things in: faults and log of all services in one place, instances to kill, time that passes.
"""

import asyncio
import json
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
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
from localcloud.chaos.changes import Changes
from localcloud.chaos.instances import Instances
from localcloud.chaos.judge import Broken, judge
from localcloud.chaos.leaks import leaks_of
from localcloud.chaos.ledger_history import LedgerHistory
from localcloud.chaos.subject import Subject
from localcloud.chaos.supervisor import Supervisor
from localcloud.cloud import LocalCloud
from localcloud.leaks import Place
from localcloud.rotation_feed import StuckError
from localcloud.running import Running
from rotation.vocabulary.request import Trigger

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
        self._session = await running.enter_async_context(aiohttp.ClientSession())

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

    async def tell(self, subject: Subject, secret: str, trigger: Trigger = Trigger.SECRET_NEAR_EXPIRY) -> None:
        """
        Deliver an event about the current version to the app's webhook, as often as Event Grid would.
        """
        rotation, event = subject.rotation_id(secret, trigger), subject.vault.event(secret, trigger)
        payload = msgspec.json.encode(event.in_schema("EventGridSchema")).decode()
        for _ in range(_DELIVERIES):
            host = (await self.instances.any()).host
            headers = {"aeg-event-type": "Notification"}
            status, _ = await self._post(host.webhook_url("on_secret_event"), payload, headers)
            if status is not None and status < 300:  # noqa: PLR2004 - success, as HTTP has it
                self.told.add(rotation)
                return
            await asyncio.sleep(0.1)
        raise StuckError(f"an event about {secret} was delivered {_DELIVERIES} times and never taken")

    async def ask(
        self, subject: Subject, secret: str, *, prefer: str = "", key: str | None = None, **options: Any
    ) -> tuple[int | None, dict[str, Any]]:
        """
        Ask for a rotation through the API; return status and answer, None where the instance died meanwhile.

        `key` is the Idempotency-Key.
        """
        host = (await self.instances.any()).host
        body = json.dumps({"secret": subject.uri(secret)} | options)
        headers = {"x-functions-key": host.function_key, "Prefer": prefer}
        headers |= {"Idempotency-Key": key} if key else {}
        status, answer = await self._post(f"{host.url}/api/rotations", body, headers)
        return status, _read(answer)

    async def change(self, subject: Subject, secret: str, days: int) -> None:
        """
        Change how long the versions of a secret are valid, through the API: again while its target is being rotated.
        """
        with self.changes.making(secret, days) as made:
            for _ in range(_CHANGES):
                host = (await self.instances.any()).host
                url = f"{host.url}/api/secrets/{urlsplit(subject.vault.uri).netloc}/{secret}"
                headers = {"x-functions-key": host.function_key}
                status, _ = await self._send("PATCH", url, json.dumps({"validityPeriodDays": days}), headers)
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
        Whether a rotation has ended and been told of, and nobody works on it any more.
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

    async def _post(self, url: str, body: str, headers: dict[str, str]) -> tuple[int | None, str]:
        return await self._send("POST", url, body, headers)

    async def _send(self, method: str, url: str, body: str, headers: dict[str, str]) -> tuple[int | None, str]:
        try:
            async with self._session.request(method, url, data=body, headers=headers) as answer:
                text = await answer.text()
                self.answers.append(text)
                return answer.status, text
        except aiohttp.ClientError:
            return None, ""

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


def _read(answer: str) -> dict[str, Any]:
    """
    Return the JSON of an answer; nothing where a function failed and the host answered in its place.
    """
    try:
        return dict(json.loads(answer))
    except ValueError:
        return {}
