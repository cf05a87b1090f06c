"""
The kinds of target as the app uses them: an ARM id becomes a target, and a target has a provider.
"""

import importlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from adapters.late import importing
from providers.ids import parse_target
from providers.kind import Kind
from rotation.ports.providers import Provider, Providers
from rotation.vocabulary.target import Target

if TYPE_CHECKING:
    from adapters.arm import ResourceManager


class KnownKinds(Providers):
    """
    The `Providers` of a table of kinds. The SDK of a kind is imported with its first target.

    `expect` is called with the module that is needed next.
    """

    def __init__(
        self, kinds: Sequence[Kind], arm: "Callable[[], ResourceManager]", expect: Callable[[str], None]
    ) -> None:
        self._kinds = {kind.provider: kind for kind in kinds}
        self._arm = arm
        self._expect = expect
        self._providers: dict[str, Provider] = {}

    def parse_target(self, arm_id: str) -> Target:
        return parse_target(tuple(self._kinds.values()), arm_id)

    def prepare(self, target: Target) -> None:
        self._expect(self._kinds[target.provider].client)

    async def provider_for(self, target: Target) -> Provider:
        kind = self._kinds[target.provider]
        if kind.provider not in self._providers:
            with importing:
                self._providers[kind.provider] = importlib.import_module(kind.client).Client(self._arm())
        return self._providers[kind.provider]
