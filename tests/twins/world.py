"""
A world of twins with one target and one secret, ready to be rotated and disturbed.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta

from msgspec import structs

from rotation.policy.scope import Scopes
from rotation.ports.world import World
from rotation.run.acceptance import accept
from rotation.run.leaks import report_leak
from rotation.run.resumption import list_unfinished
from rotation.run.rotator import Rotator
from rotation.vocabulary.caller import Caller
from rotation.vocabulary.errors import Busy
from rotation.vocabulary.limits import CLAIM_TTL, QUEUED_FOR
from rotation.vocabulary.record import Rotation, WaitingRotation
from rotation.vocabulary.request import RotationRequest, Trigger, new_id, request_for_event
from rotation.vocabulary.secret import SecretId, SecretVersion
from rotation.vocabulary.target import KeyName, Target
from tests.twins.announcer import MemoryAnnouncer
from tests.twins.clock import HandClock
from tests.twins.concurrency import one_after_another
from tests.twins.faults import Faults
from tests.twins.history import MemoryHistory
from tests.twins.inventory import MemoryInventory
from tests.twins.ledger import MemoryLedger
from tests.twins.providers import MemoryProvider
from tests.twins.targets import accepted_record, batch_account, workflow
from tests.twins.vaults import MemoryVaults

SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
VAULT = "https://kv.vault.azure.net"

TARGETS: dict[str, Target] = {
    "batch": batch_account(SUBSCRIPTION, "rg", "account1"),
    "workflow": workflow(SUBSCRIPTION, "rg", "site1", "orders", "manual"),
}


class Killed(BaseException):
    """
    The process dies here.
    """


class TwinWorld:
    """
    One target of the given kind; `secret` is managed and holds its primary key.

    `outages` counts the moments at which the current version of a managed secret held a dead key.
    """

    def __init__(
        self, kind: str = "batch", *, provider: MemoryProvider | None = None, target: Target | None = None
    ) -> None:
        self.clock = HandClock()
        self.faults = Faults()
        self.vaults = MemoryVaults(self.clock, [VAULT], self.faults)
        self.provider = provider or MemoryProvider()
        self.provider.faults = self.faults
        self.provider.now = self.clock.monotonic
        self.ledger = MemoryLedger(self.faults)
        self.inventory = MemoryInventory(self.ledger, self.faults)
        self.history = MemoryHistory(self.ledger)
        self.announcer = MemoryAnnouncer(self.faults)
        self.target = target or TARGETS[kind]
        self.provider.add(self.target)
        self.scopes = [f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"]
        self.lead = timedelta(days=30)
        self.grace = timedelta()
        self.observes = False
        self.outages = 0
        self.provider.watch = self._count_outages
        self.secret = SecretId(VAULT, "one")
        self._managed: list[SecretId] = []
        self.put()
        self.rotator = self.worker()

    def worker(self) -> Rotator:
        """
        Return one more worker of the same app.
        """
        return Rotator(self.ports)

    @property
    def ports(self) -> World:
        """
        What the app works with.
        """
        return World(
            self.vaults,
            self.provider,
            self.ledger,
            self.inventory,
            self.announcer,
            Scopes(self.scopes),
            self.clock,
            one_after_another,
            self.lead,
            self.grace,
            observes=self.observes,
        )

    def put(
        self,
        name: str = "one",
        tags: Mapping[str, str] | None = None,
        *,
        key: KeyName = KeyName.PRIMARY,
        value: str | None = None,
        enabled: bool = True,
        bare: bool = False,
    ) -> SecretId:
        """
        Make a version of a secret by hand; the tags given are added to, or replace, those of a managed secret.
        """
        secret = SecretId(VAULT, name)
        managed = {"ProviderAddress": self.address, "CredentialId": str(key), "ValidityPeriodDays": "90"}
        made = self.vaults.put(
            secret,
            value or self.provider.value(self.target, key),
            tags={} if bare else managed | dict(tags or {}),
            enabled=enabled,
            content_type="text/plain",
            expires_on=self.clock.now() + timedelta(days=20),
        )
        if secret not in self._managed:
            self._managed.append(secret)
        return made

    def delete(self, name: str) -> None:
        """
        Delete a secret by hand.
        """
        self.vaults.delete(SecretId(VAULT, name))
        self._managed.remove(SecretId(VAULT, name))

    def unmanage(self, name: str) -> None:
        """
        Count no outages of a secret any more.
        """
        self._managed.remove(SecretId(VAULT, name))

    @property
    def managed(self) -> list[SecretId]:
        """
        The secrets that were made here.
        """
        return list(self._managed)

    @property
    def address(self) -> str:
        """
        The value of the tag ProviderAddress.
        """
        return self.target.shown_by

    def current(self, name: str = "one") -> SecretVersion:
        """
        Return the current version of a secret.
        """
        return self.vaults.history(SecretId(VAULT, name))[-1]

    def holds_live_key(self, name: str = "one") -> bool:
        """
        Return whether a client that reads the secret now can work.
        """
        return self.is_live(self.current(name))

    def is_live(self, version: SecretVersion) -> bool:
        """
        Return whether a client that has read this version can work now.
        """
        return version.value is not None and self.provider.is_live(self.target, version.value.reveal())

    def event(self, name: str = "one", trigger: Trigger = Trigger.SECRET_NEAR_EXPIRY) -> RotationRequest:
        """
        Return the request of the current version's event.
        """
        return request_for_event(self.current(name).id, trigger, self.clock.now())

    def manual(
        self, name: str = "one", *, key: KeyName | None = None, force: bool = False, reason: str | None = None
    ) -> RotationRequest:
        """
        Return an HTTP request pinned to the current version.
        """
        now = self.clock.now()
        return RotationRequest(new_id(now), Trigger.HTTP, self.current(name).id, now, key, force, reason)

    async def promise(self, request: RotationRequest | None = None) -> RotationRequest:
        """
        Do what is done before a request is answered with 202, and return its message.
        """
        asked = structs.replace(request or self.manual(), waits=True)
        await self.ledger.wait(
            WaitingRotation(asked, accepted_record(asked, asked.accepted_on), asked.accepted_on + QUEUED_FOR)
        )
        return asked

    async def rotate(self, request: RotationRequest | None = None) -> Rotation:
        """
        Run one rotation, of the current version's event if no other is given.
        """
        return await self.rotator.rotate(request or self.event())

    async def die_in(self, request: RotationRequest) -> None:
        """
        Run a rotation whose process may be killed.
        """
        try:
            await self.rotator.rotate(request)
        except Killed:
            return

    async def resume(self, after: timedelta = CLAIM_TTL) -> list[Rotation]:
        """
        Let time pass, then do what the timer and the queue do.
        """
        self.clock.advance(after)
        requests = await list_unfinished(self.ports)
        return [record for request in requests for record in await self.deliver(request)]

    async def deliver(self, request: RotationRequest) -> list[Rotation]:
        """
        Do what the queue's function does with a message, and with those that it puts into the queue.

        What finds its target taken stays in the queue.
        """
        worker = self.worker()
        moves = await worker.moves(request) if request.revokes else []
        if not moves:
            return [await worker.rotate(request)]
        made = []
        for move in moves:
            with suppress(Busy):
                made.append(await worker.rotate(move))
        return made

    async def report(
        self,
        name: str = "one",
        after: timedelta = timedelta(hours=1),
        *,
        reason: str | None = None,
        requested_by: Caller | None = None,
    ) -> tuple[Rotation, list[RotationRequest]]:
        """
        Do what the HTTP API does with the report of a leak: return what came of it, and what goes into the queue.
        """
        accepted = await self.report_only(name, after, reason=reason, requested_by=requested_by)
        record = await self.rotator.rotate(accepted)
        return record, await self.rotator.moves(accepted)

    async def report_only(
        self,
        name: str = "one",
        after: timedelta = timedelta(hours=1),
        *,
        reason: str | None = None,
        requested_by: Caller | None = None,
    ) -> RotationRequest:
        """
        Put the report of a leak on record, and do nothing about it.
        """
        secret = SecretId(VAULT, name)
        accepted = await accept(
            self.ports, secret, reason=reason, revoke_previous_after=after, requested_by=requested_by
        )
        return await report_leak(self.ports, accepted)

    def regenerations(self) -> int:
        """
        Return how often keys of the target were regenerated.
        """
        return sum(self.provider.regenerations(self.target, key) for key in KeyName)

    def point(self, secret: SecretId) -> RotationRequest:
        """
        Return the event's request for a version made by hand.
        """
        return structs.replace(self.event(secret.name), secret=secret)

    def _count_outages(self) -> None:
        for secret in self._managed:
            if not self.is_live(self.vaults.history(secret)[-1]):
                self.outages += 1
