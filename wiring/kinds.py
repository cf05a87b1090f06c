"""
The kinds of target as the app uses them: an ARM id becomes a target, and a target has a provider.
"""

import importlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from providers.ids import parse_target
from providers.kind import Kind
from rotation.ports.providers import KeyProber, Provider, Providers
from rotation.vocabulary.target import Target

if TYPE_CHECKING:
    from adapters.arm import ResourceManager


class KnownKinds(Providers):
    """
    The `Providers` of a table of kinds. The SDK of a kind is imported with its first target.

    `suffixes` says which hosts may be asked with the keys of a kind, none where its keys are not proven. `prepare` is
    called before the first request to a provider.
    """

    def __init__(
        self,
        kinds: Sequence[Kind],
        *,
        arm: "Callable[[], ResourceManager]",
        transport: Callable[[], Any],
        suffixes: Callable[[Kind], Sequence[str]],
        prepare: Callable[[], None],
    ) -> None:
        self._kinds = {kind.provider: kind for kind in kinds}
        self._arm = arm
        self._transport = transport
        self._suffixes = suffixes
        self._prepare = prepare
        self._providers: dict[str, Provider] = {}

    def parse_target(self, arm_id: str) -> Target:
        return parse_target(tuple(self._kinds.values()), arm_id)

    def prepare(self) -> None:
        self._prepare()

    async def provider_for(self, target: Target) -> Provider:
        kind = self._kinds[target.provider]
        if kind.provider not in self._providers:
            self._providers[kind.provider] = self._make(kind)
        return self._providers[kind.provider]

    async def has_room_for(self, target: str) -> bool:
        kind = self._kinds[self.parse_target(target).provider]
        return await self._arm().has_room_for(target, kind.requests)

    async def prober_for(self, target: Target) -> KeyProber | None:
        if not self._suffixes(self._kinds[target.provider]):
            return None
        return cast("KeyProber", await self.provider_for(target))

    def _make(self, kind: Kind) -> Provider:
        client: Callable[..., Provider] = importlib.import_module(kind.client).Client
        if not kind.data_plane:
            return client(self._arm())
        from adapters.data_plane import DataPlane  # noqa: PLC0415 - imported with the first client

        return client(self._arm(), DataPlane(self._transport(), self._suffixes(kind)))
