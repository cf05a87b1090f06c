"""
The ports of one worker: every call to a twin becomes a request that the scheduler carries.

Deadlines are checked where the request is made, as the adapters do, and not where it arrives. It arrives in
the world of the run that goes on by then: a request is made once for all runs that come to it (`tasks.Memory`).
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

from rotation.ports.announcer import Announcement
from rotation.ports.ledger import Bound, Versioned
from rotation.ports.providers import Verdict
from rotation.ports.vaults import NewVersion, SecretProperties
from rotation.vocabulary.errors import DependencyError
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.record import (
    EndedRotation,
    Leak,
    OpenRotation,
    Reservation,
    Rotation,
    TagChange,
    WaitingRotation,
)
from rotation.vocabulary.request import LeakedKey
from rotation.vocabulary.secret import ListedSecret, SecretId, SecretVersion
from rotation.vocabulary.target import KeyName, Keys, Target
from rotation.vocabulary.timing import Deadline
from tests.interleavings.calls import Kind, Nap, ask
from tests.interleavings.laboratory import Laboratory
from tests.interleavings.tasks import Task
from tests.twins.announcer import MemoryAnnouncer
from tests.twins.clock import HandClock
from tests.twins.ledger import MemoryLedger
from tests.twins.providers import MemoryProbe, MemoryProvider
from tests.twins.vaults import MemoryVaults

T = TypeVar("T")


class _Whenever(Deadline):
    """
    What a twin is given: a request that was sent arrives however late it is.
    """

    def check(self) -> None:
        """
        Pass.
        """


WHENEVER = _Whenever(HandClock())


class WorkerClock:
    """
    One instance's clock: some seconds off the world's time, with a monotonic clock that may stop in a freeze.
    """

    def __init__(self, epoch: datetime, task: Task, *, monotonic_stops: bool) -> None:
        self._epoch = epoch
        self._task = task
        self._monotonic_stops = monotonic_stops

    def now(self) -> datetime:
        """
        Return what this instance takes for the time.
        """
        return self._epoch + timedelta(seconds=self._task.now + self._task.ahead)

    def monotonic(self) -> float:
        """
        Return the seconds of this instance's other clock.
        """
        return 0.0 if self._monotonic_stops else self._task.now

    async def sleep(self, seconds: float) -> None:
        """
        Come back when the scheduler says so, not before that time.
        """
        await Nap(seconds)


class WiredProvider:
    """
    The `Provider` of one worker.
    """

    def __init__(self, laboratory: Laboratory) -> None:
        self._laboratory = laboratory

    @property
    def _twin(self) -> MemoryProvider:
        return self._laboratory.world.provider

    def prepare(self) -> None:
        """
        Be ready anyway.
        """

    def parse_target(self, arm_id: str) -> Target:
        """
        Return the target that an ARM id names.
        """
        return self._twin.parse_target(arm_id)

    async def provider_for(self, _: Target) -> "WiredProvider":
        """
        Return itself.
        """
        return self

    async def has_room_for(self, target: str) -> bool:
        """
        Return whether nobody throttles, asked by nobody.
        """
        return await self._twin.has_room_for(target)

    async def prober_for(self, target: Target) -> "WiredProvider | None":
        """
        Return itself, if keys are to be proven.
        """
        return self if await self._twin.prober_for(target) else None

    async def probe(self, target: Target, deadline: Deadline) -> "WiredProbe":
        """
        Ask what can be asked with the keys of a target.
        """
        deadline.check()
        await ask("probe", Kind.READ, lambda: _found(self._twin.probe(target, WHENEVER)), is_timely=True)
        return WiredProbe(self._laboratory, target)

    async def read_keys(self, target: Target, deadline: Deadline) -> Keys:
        """
        Ask for both keys.
        """
        deadline.check()
        return await ask("read_keys", Kind.READ, lambda: self._twin.read_keys(target, WHENEVER), is_timely=True)

    async def read_new(self, target: Target, key: KeyName, before: Keys, deadline: Deadline) -> Keys:
        """
        Ask for the credential that a new key gives.
        """
        return {**before, key: (await self.read_keys(target, deadline))[key]}

    async def regenerate(self, target: Target, key: KeyName, deadline: Deadline) -> Keys | None:
        """
        Ask for a new key.
        """
        deadline.check()
        return await ask(
            "regenerate", Kind.CHANGE, lambda: self._twin.regenerate(target, key, WHENEVER), about=key, is_timely=True
        )


class WiredProbe:
    """
    The `KeyProbe` of one target, as one worker has it.
    """

    def __init__(self, laboratory: Laboratory, target: Target) -> None:
        self._laboratory = laboratory
        self._target = target

    @property
    def _twin(self) -> MemoryProbe:
        return MemoryProbe(self._laboratory.world.provider, self._target)

    async def ask(self, key: KeyMaterial, deadline: Deadline) -> Verdict:
        """
        Ask with a key; where that fails, the answer says nothing of it.
        """
        deadline.check()
        try:
            return await ask(
                "ask", Kind.READ, lambda: self._twin.ask(key, WHENEVER), about=key.fingerprint, is_timely=True
            )
        except DependencyError as error:
            return Verdict(None, str(error))


class WiredVaults:
    """
    The `Vaults` of one worker.
    """

    def __init__(self, laboratory: Laboratory) -> None:
        self._laboratory = laboratory

    @property
    def _twin(self) -> MemoryVaults:
        return self._laboratory.world.vaults

    @property
    def uris(self) -> list[str]:
        """
        The URIs of the vaults.
        """
        return self._twin.uris

    def list_pages(self, vault: str) -> AsyncGenerator[list[ListedSecret], None]:
        """
        Look at a vault: only a sweep does, and none is explored.
        """
        return self._twin.list_pages(vault)

    def require(self, secret: SecretId) -> None:
        """
        Raise `Forbidden` for any other vault.
        """
        self._twin.require(secret)

    async def read_current(self, secret: SecretId, deadline: Deadline) -> SecretVersion:
        """
        Ask for the current version.
        """
        deadline.check()
        return await ask(
            "read_current",
            Kind.READ,
            lambda: self._twin.read_current(secret, WHENEVER),
            about=secret.name,
            is_timely=True,
        )

    async def list_managed(self, vault: str, deadline: Deadline) -> list[tuple[SecretId, dict[str, str]]]:
        """
        Ask for the managed secrets.
        """
        deadline.check()
        return await ask("list_managed", Kind.READ, lambda: self._twin.list_managed(vault, WHENEVER), is_timely=True)

    async def read_version(self, secret: SecretId, deadline: Deadline) -> KeyMaterial:
        """
        Ask for one version's value.
        """
        deadline.check()
        return await ask("read_version", Kind.READ, lambda: self._twin.read_version(secret, WHENEVER), is_timely=True)

    async def read_properties(self, secret: SecretId, deadline: Deadline) -> SecretProperties:
        """
        Ask for one version without its value.
        """
        deadline.check()
        return await ask(
            "read_properties", Kind.READ, lambda: self._twin.read_properties(secret, WHENEVER), is_timely=True
        )

    async def write_tags(
        self, secret: SecretId, tags: Mapping[str, str], deadline: Deadline, *, expires_on: datetime | None = None
    ) -> None:
        """
        Ask for other tags of one version.
        """
        deadline.check()
        await ask(
            "write_tags",
            Kind.CHANGE,
            lambda: self._twin.write_tags(secret, tags, WHENEVER, expires_on=expires_on),
            about=secret,
            is_timely=True,
        )

    async def store(self, secret: SecretId, version: NewVersion, deadline: Deadline) -> SecretId:
        """
        Ask for a new version.
        """
        deadline.check()
        return await ask(
            "store",
            Kind.CHANGE,
            lambda: self._twin.store(secret, version, WHENEVER),
            about=secret,
            is_timely=True,
        )

    async def list_versions(self, secret: SecretId, deadline: Deadline) -> list[SecretProperties]:
        """
        Ask for the list of versions.
        """
        deadline.check()
        return await ask("list_versions", Kind.READ, lambda: self._twin.list_versions(secret, WHENEVER), is_timely=True)

    async def disable(self, secret: SecretId, deadline: Deadline) -> None:
        """
        Ask for a version to be disabled.
        """
        deadline.check()
        await ask("disable", Kind.NOTICE, lambda: self._twin.disable(secret, WHENEVER), about=secret, is_timely=True)


class WiredAnnouncer:
    """
    The `Announcer` of one worker.
    """

    def __init__(self, laboratory: Laboratory) -> None:
        self._laboratory = laboratory

    @property
    def _twin(self) -> MemoryAnnouncer:
        return self._laboratory.world.announcer

    async def publish(self, announcement: Announcement[Any]) -> None:
        """
        Send one event.
        """
        await ask(
            "publish",
            Kind.NOTICE,
            lambda: self._twin.publish(announcement),
            about=announcement.id.rpartition(":")[2],
            is_timely=False,
        )


class WiredLedger:
    """
    The `Ledger` of one worker.
    """

    def __init__(self, laboratory: Laboratory, worker: str) -> None:
        self._laboratory = laboratory
        self.worker = worker

    @property
    def twin(self) -> MemoryLedger:
        """
        What keeps the rows.
        """
        return self._laboratory.world.ledger

    async def claim(self, target: str, row: OpenRotation) -> Versioned[OpenRotation] | Versioned[TagChange]:
        """
        Ask for a claim.
        """
        return await ask("claim", Kind.LEDGER, lambda: self.twin.claim(target, row), is_timely=False)

    async def hold(self, what: str, row: TagChange) -> Versioned[OpenRotation] | Versioned[TagChange]:
        """
        Ask for a claim for a change of tags.
        """
        return await ask("hold", Kind.LEDGER, lambda: self.twin.hold(what, row), is_timely=False)

    async def read_open(self, target: str) -> Versioned[OpenRotation] | None:
        """
        Ask for a running rotation.
        """
        return await ask("read_open", Kind.READ, lambda: self.twin.read_open(target), is_timely=False)

    async def replace(self, target: str, row: OpenRotation, etag: str) -> Versioned[OpenRotation] | None:
        """
        Ask for a running rotation to be replaced.
        """
        return await ask("replace", Kind.LEDGER, lambda: self.twin.replace(target, row, etag), is_timely=False)

    async def begin(
        self, target: str, row: OpenRotation, etag: str, *, waits: bool, bind: SecretId | None = None
    ) -> Versioned[OpenRotation] | None:
        """
        Ask for a running rotation to be replaced by one that has begun.
        """
        return await ask(
            "begin",
            Kind.LEDGER,
            lambda: self.twin.begin(target, row, etag, waits=waits, bind=bind),
            is_timely=False,
        )

    async def release(self, target: str, etag: str) -> bool:
        """
        Ask for a claim to be forgotten.
        """
        return await ask("release", Kind.LEDGER, lambda: self.twin.release(target, etag), is_timely=False)

    async def end(
        self, outcome: EndedRotation, *, target: str, etag: str, begun: bool = False, waits: bool = False
    ) -> bool:
        """
        Ask for a running rotation to become an outcome.
        """
        return await ask(
            "end",
            Kind.LEDGER,
            lambda: self.twin.end(outcome, target=target, etag=etag, begun=begun, waits=waits),
            about=outcome.record.state,
            is_timely=False,
        )

    async def defer(
        self, row: WaitingRotation, *, target: str, etag: str, begun: bool = False, waits: bool = False
    ) -> bool:
        """
        Ask for a running rotation to wait.
        """
        return await ask(
            "defer",
            Kind.LEDGER,
            lambda: self.twin.defer(row, target=target, etag=etag, begun=begun, waits=waits),
            about=row.record.state,
            is_timely=False,
        )

    async def end_waiting(self, outcome: EndedRotation) -> bool:
        """
        Ask for the outcome of a rotation that waits to be remembered.
        """
        return await ask(
            "end_waiting",
            Kind.LEDGER,
            lambda: self.twin.end_waiting(outcome),
            about=outcome.record.state,
            is_timely=False,
        )

    async def end_unclaimed(self, outcome: EndedRotation) -> bool:
        """
        Ask for an outcome to be remembered.
        """
        return await ask(
            "end_unclaimed",
            Kind.LEDGER,
            lambda: self.twin.end_unclaimed(outcome),
            about=outcome.record.state,
            is_timely=False,
        )

    async def read_outcome(self, rotation_id: str) -> EndedRotation | None:
        """
        Ask for an outcome.
        """
        return await ask("read_outcome", Kind.READ, lambda: self.twin.read_outcome(rotation_id), is_timely=False)

    async def read_standing(self, rotation_id: str) -> Rotation | WaitingRotation | None:
        """
        Ask how a rotation stands.
        """
        return await ask("read_standing", Kind.READ, lambda: self.twin.read_standing(rotation_id), is_timely=False)

    async def forget_outcome(self, rotation_id: str) -> None:
        """
        Ask for an outcome to be forgotten.
        """
        await ask("forget_outcome", Kind.LEDGER, lambda: self.twin.forget_outcome(rotation_id), is_timely=False)

    async def find_claimed(self, rotation_id: str) -> str | None:
        """
        Ask where a rotation is running.
        """
        return await ask("find_claimed", Kind.READ, lambda: self.twin.find_claimed(rotation_id), is_timely=False)

    async def find(self, rotation_id: str) -> Rotation | None:
        """
        Ask for a rotation: what is live first, then how it has ended.
        """
        live = await ask("find", Kind.READ, lambda: self.twin.find_live(rotation_id), is_timely=False)
        standing = await self.read_standing(rotation_id)
        return standing if isinstance(standing, Rotation) else live

    async def list_open(self) -> AsyncIterator[tuple[str, OpenRotation]]:
        """
        Ask for every running rotation.
        """
        for row in await ask("list_open", Kind.READ, lambda: _listed(self.twin.list_open()), is_timely=False):
            yield row

    async def list_outcomes(self) -> AsyncIterator[EndedRotation]:
        """
        Ask for every outcome that waits.
        """
        listing = ask("list_outcomes", Kind.READ, lambda: _listed(self.twin.list_outcomes()), is_timely=False)
        for outcome in await listing:
            yield outcome

    async def wait(self, row: WaitingRotation) -> bool:
        """
        Ask for an accepted rotation to be remembered.
        """
        return await ask("wait", Kind.LEDGER, lambda: self.twin.wait(row), is_timely=False)

    async def report_leak(self, row: WaitingRotation, leak: Leak) -> bool:
        """
        Ask for a revocation to be remembered, with its leak.
        """
        return await ask("report_leak", Kind.LEDGER, lambda: self.twin.report_leak(row, leak), is_timely=False)

    async def read_revocation(self, target: str) -> WaitingRotation | None:
        """
        Ask for the revocation of a target that waits.
        """
        return await ask("read_revocation", Kind.READ, lambda: self.twin.read_revocation(target), is_timely=False)

    async def list_revocations(self) -> list[WaitingRotation]:
        """
        Ask for the revocations that wait.
        """
        return await ask("list_revocations", Kind.READ, self.twin.list_revocations, is_timely=False)

    async def list_leaks(self, target: str | None = None) -> list[Leak]:
        """
        Ask for the keys that have leaked.
        """
        return await ask("list_leaks", Kind.READ, lambda: self.twin.list_leaks(target), is_timely=False)

    async def forget_leak(self, target: str, leaked: LeakedKey) -> None:
        """
        Ask for a leaked key to be forgotten.
        """
        await ask("forget_leak", Kind.LEDGER, lambda: self.twin.forget_leak(target, leaked), is_timely=False)

    async def list_waiting(self) -> AsyncIterator[WaitingRotation]:
        """
        Ask for every rotation that waits.
        """
        for row in await ask("list_waiting", Kind.READ, lambda: _listed(self.twin.list_waiting()), is_timely=False):
            yield row

    async def read_waiting(self, rotation_id: str) -> WaitingRotation | None:
        """
        Ask for a rotation that waits.
        """
        return await ask("read_waiting", Kind.READ, lambda: self.twin.read_waiting(rotation_id), is_timely=False)

    async def postpone(self, row: WaitingRotation, due_on: datetime) -> None:
        """
        Ask for a waiting rotation to be due later.
        """
        await ask("postpone", Kind.LEDGER, lambda: self.twin.postpone(row, due_on), is_timely=False)

    async def forget_waiting(self, rotation_id: str) -> None:
        """
        Ask for a waiting rotation to be forgotten.
        """
        await ask("forget_waiting", Kind.LEDGER, lambda: self.twin.forget_waiting(rotation_id), is_timely=False)

    async def reserve(self, rotation_id: str, asked: Reservation) -> Reservation:
        """
        Ask for an id to be reserved.
        """
        return await ask("reserve", Kind.LEDGER, lambda: self.twin.reserve(rotation_id, asked), is_timely=False)

    async def bound_secrets(self, target: str) -> list[Bound]:
        """
        Ask which secrets hold a key of the target.
        """
        return await ask("bound_secrets", Kind.READ, lambda: self.twin.bound_secrets(target), is_timely=False)

    async def list_bound(self) -> AsyncIterator[tuple[str, Bound]]:
        """
        Ask which secrets hold a key of any target. No rotation does.
        """
        async for found in self.twin.list_bound():
            yield found

    async def bind(self, target: str, secret: SecretId) -> None:
        """
        Ask for a secret to be remembered.
        """
        await ask("bind", Kind.LEDGER, lambda: self.twin.bind(target, secret), about=secret.name, is_timely=False)

    async def leave(self, target: str, secret: SecretId, left_on: datetime) -> None:
        """
        Ask for a secret to be remembered as one that has left.
        """
        await ask(
            "leave", Kind.LEDGER, lambda: self.twin.leave(target, secret, left_on), about=secret.name, is_timely=False
        )

    async def unbind(self, target: str, secret: SecretId) -> None:
        """
        Ask for a secret to be forgotten.
        """
        await ask("unbind", Kind.LEDGER, lambda: self.twin.unbind(target, secret), about=secret.name, is_timely=False)


async def _found(probe: Awaitable[MemoryProbe]) -> None:
    """
    Find out that there is a probe, which is of the world of one run alone.
    """
    await probe


async def _listed(rows: AsyncIterator[T]) -> list[T]:
    return [row async for row in rows]
