"""
What the rotator needs of the world. Each port has an adapter and an in-memory twin, and both pass the same tests.

Every call may raise a `DependencyError`; calls that take a `deadline` check it right before they send and raise
`OutOfTime`. Nothing is sent again by an adapter unless it only reads.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from msgspec import Struct

from rotation.announcement import Announcement
from rotation.material import KeyMaterial
from rotation.record import EndedRotation, OpenRotation, Rotation, WaitingRotation
from rotation.secret import SecretId, SecretVersion
from rotation.target import KeyName, Target
from rotation.timing import Deadline

T = TypeVar("T")
Keys = Mapping[KeyName, KeyMaterial]


class Versioned(Struct, Generic[T], frozen=True):
    """
    A row of the ledger and the tag under which it was read or written; a write names the tag it expects.
    """

    row: T
    etag: str


class SecretProperties(Struct, frozen=True):
    """
    A version of a secret as a listing shows it: without its value.
    """

    version: str
    enabled: bool
    created_on: datetime | None


class ListedSecret(Struct, frozen=True):
    """
    The current version of a secret as the listing of a vault shows it: without its value, and `id` without version.
    """

    id: SecretId
    tags: dict[str, str]
    enabled: bool
    expires_on: datetime | None
    is_certificate: bool = False


class Provider(Protocol):
    """
    What regenerates keys.

    It raises `NotFound` for an unknown target and `Misconfigured` for a workflow without one clear Request trigger.
    """

    async def read_keys(self, target: Target, deadline: Deadline) -> Keys:
        """
        Return the credential that each key gives at present: account keys, or one trigger's callback URLs.
        """
        ...

    async def regenerate(self, target: Target, key: KeyName, deadline: Deadline) -> Keys | None:
        """
        Regenerate one key with exactly one request; return both keys if the answer holds them.
        """
        ...


class Providers(Protocol):
    """
    The providers by kind of target.
    """

    async def of(self, target: Target) -> Provider:
        """
        Return the provider of a target.
        """
        ...


class Vaults(Protocol):
    """
    The secrets of the configured vaults; for any other vault every call raises `Forbidden` and sends nothing.
    """

    @property
    def uris(self) -> list[str]:
        """
        The URIs of the configured vaults.
        """
        ...

    def require(self, secret: SecretId) -> None:
        """
        Raise `Forbidden` unless the secret is in one of the configured vaults.
        """
        ...

    async def read_current(self, secret: SecretId, deadline: Deadline) -> SecretVersion:
        """
        Return the current version, whichever the id is pinned to. Raises `NotFound`.
        """
        ...

    async def list_managed(self, vault: str, deadline: Deadline) -> list[tuple[SecretId, dict[str, str]]]:
        """
        Return every secret of a vault that has the tag ProviderAddress, with all its tags.
        """
        ...

    def list_pages(self, vault: str) -> AsyncGenerator[list[ListedSecret], None]:
        """
        Yield every secret of a vault, managed or not, a page at a time; one page is kept in memory.
        """
        ...

    async def read_version(self, secret: SecretId, deadline: Deadline) -> KeyMaterial:
        """
        Return the value of the version that the id is pinned to. Raises `NotFound`, `Declined` for a disabled one.
        """
        ...

    async def store(  # noqa: PLR0913 - a version is made of these
        self,
        secret: SecretId,
        value: KeyMaterial,
        *,
        tags: Mapping[str, str],
        content_type: str | None,
        expires_on: datetime,
        deadline: Deadline,
    ) -> SecretId:
        """
        Make a new version with exactly one request; return its id.
        """
        ...

    async def list_versions(self, secret: SecretId, deadline: Deadline) -> list[SecretProperties]:
        """
        Return every version of the secret, in no order.
        """
        ...

    async def disable(self, secret: SecretId, deadline: Deadline) -> None:
        """
        Disable the version that the id is pinned to.
        """
        ...


class Ledger(Protocol):
    """
    What is remembered. Every write is conditional: it says True, or a tag, only if it is this write that took effect.
    """

    async def claim(self, claim_id: str, row: OpenRotation) -> Versioned[OpenRotation]:
        """
        Insert the running rotation of a target, or return the one that is there: compare the `claim`.
        """
        ...

    async def read_open(self, claim_id: str) -> Versioned[OpenRotation] | None:
        """
        Return the running rotation of a target.
        """
        ...

    async def replace(self, claim_id: str, row: OpenRotation, etag: str) -> Versioned[OpenRotation] | None:
        """
        Write the running rotation anew; None if the row is no longer the one with that tag.
        """
        ...

    async def begin(self, claim_id: str, row: OpenRotation, etag: str) -> Versioned[OpenRotation] | None:
        """
        In one step write the running rotation anew and forget that it was accepted; None if either is impossible.
        """
        ...

    async def release(self, claim_id: str, etag: str) -> bool:
        """
        Delete the running rotation and leave no trace of it.
        """
        ...

    async def end(
        self, outcome: EndedRotation, *, claim_id: str, etag: str, scheduled: WaitingRotation | None = None
    ) -> bool:
        """
        In one step delete the running rotation, remember its outcome, and schedule what is to follow it.

        False if any of it is impossible.
        """
        ...

    async def end_accepted(self, outcome: EndedRotation) -> bool:
        """
        In one step remember the outcome of a rotation that was accepted and forget that it was; False if it has begun.
        """
        ...

    async def end_unclaimed(self, outcome: EndedRotation) -> bool:
        """
        Remember the outcome of a rotation that never claimed a target; False if there is an outcome to be published.
        """
        ...

    async def read_outcome(self, rotation_id: str) -> EndedRotation | None:
        """
        Return an outcome that waits to be published.
        """
        ...

    async def read_done(self, rotation_id: str) -> Rotation | None:
        """
        Return the record of a rotation whose outcome needs no more publishing.
        """
        ...

    async def settle(self, record: Rotation) -> None:
        """
        Keep the record for good, unless one is kept, and forget that its outcome waited.
        """
        ...

    async def find_claim(self, rotation_id: str) -> str | None:
        """
        Return the claim id of the target on which a rotation is running.
        """
        ...

    async def find(self, rotation_id: str) -> Rotation | None:
        """
        Return the record of a rotation, wherever it stands.
        """
        ...

    def list_open(self) -> AsyncIterator[tuple[str, OpenRotation]]:
        """
        Yield every running rotation with its claim id.
        """
        ...

    async def wait(self, row: WaitingRotation) -> bool:
        """
        Remember a rotation that was accepted; False if it is remembered already.
        """
        ...

    def list_waiting(self) -> AsyncIterator[WaitingRotation]:
        """
        Yield every rotation that was accepted or scheduled and has not ended.
        """
        ...

    async def postpone(self, row: WaitingRotation, due_on: datetime) -> None:
        """
        Let a waiting rotation be due at another time, if it still waits.
        """
        ...

    async def forget_waiting(self, rotation_id: str) -> None:
        """
        Forget that a rotation waited.
        """
        ...

    async def reserve(self, rotation_id: str, digest: str) -> str:
        """
        Remember what was asked for under an id, unless something is remembered; return what counts.
        """
        ...

    def list_outcomes(self) -> AsyncIterator[EndedRotation]:
        """
        Yield every outcome that waits to be published.
        """
        ...

    async def bound_secrets(self, claim_id: str) -> list[SecretId]:
        """
        Return the secrets that are known to hold a key of the target.
        """
        ...

    async def bind(self, claim_id: str, secret: SecretId) -> None:
        """
        Remember that a secret holds a key of the target.
        """
        ...

    async def unbind(self, claim_id: str, secret: SecretId) -> None:
        """
        Forget that a secret holds a key of the target.
        """
        ...


class Announcer(Protocol):
    """
    Where completion events go.
    """

    async def publish(self, announcement: Announcement) -> None:
        """
        Publish one event, at least once.
        """
        ...
