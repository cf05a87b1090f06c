"""
Accounts whose resource provider lists and regenerates both keys by an operation each.
"""

import asyncio
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from adapters.answers import changing, once, until_answered
from adapters.arm import ResourceManager
from adapters.data_plane import DataPlane
from providers.questions import AccountProbe, Question
from rotation.ports.providers import KeyProbe, KeyProber, Provider
from rotation.vocabulary.errors import Declined, DependencyError, OutOfTime
from rotation.vocabulary.limits import PROBED_WITHIN
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.target import KeyName, Keys, Target
from rotation.vocabulary.timing import Deadline


class AccountClient(Provider, KeyProber, ABC):
    """
    The `Provider` and `KeyProber` of such accounts.

    What differs from kind to kind is which requests its SDK sends, each of them once, and what a key can be used for.
    """

    noun: ClassVar[str]
    """What errors call one of them."""

    def __init__(self, arm: ResourceManager, data_plane: DataPlane) -> None:
        self._arm = arm
        self._data_plane = data_plane

    @abstractmethod
    async def list_keys(self, target: Target, deadline: Deadline) -> Keys:
        """
        Return both keys. Raises what the SDK raises.
        """

    @abstractmethod
    async def regenerate_key(self, target: Target, key: KeyName, deadline: Deadline) -> Keys:
        """
        Regenerate a key, and return both. Raises what the SDK raises.
        """

    @abstractmethod
    async def obstacle(self, target: Target, deadline: Deadline) -> str | None:
        """
        Return which property of the account makes its keys useless, and what to do; None where none does.

        It is asked where an operation on keys was refused, and raises what the SDK raises.
        """

    @abstractmethod
    async def question(self, target: Target, deadline: Deadline) -> Question | None:
        """
        Return a harmless read for which an account takes its keys, None where it has none.

        It asks Azure Resource Manager where that account is, and raises what the SDK raises.
        """

    async def probe(self, target: Target, deadline: Deadline) -> KeyProbe | None:
        what = f"get of {self._name(target)}"
        try:
            async with asyncio.timeout(PROBED_WITHIN):
                # Once: the proof asks again by itself.
                question = await once(what, lambda: self.question(target, deadline))
        except TimeoutError:
            raise DependencyError(f"{what}: no answer within {PROBED_WITHIN} seconds") from None
        return AccountProbe(self._data_plane, question) if question else None

    async def read_keys(self, target: Target, deadline: Deadline) -> Keys:
        try:
            return await until_answered(
                f"listKeys of {self._name(target)}", lambda: self.list_keys(target, deadline), deadline
            )
        except Declined as error:
            raise await self._explained(error, target, deadline) from None

    async def read_new(self, target: Target, key: KeyName, before: Keys, deadline: Deadline) -> Keys:  # noqa: ARG002
        # One request shows both.
        return await self.read_keys(target, deadline)

    async def regenerate(self, target: Target, key: KeyName, deadline: Deadline) -> Keys | None:
        try:
            return await changing(
                f"regenerating {key} of {self._name(target)}", lambda: self.regenerate_key(target, key, deadline)
            )
        except Declined as error:
            raise await self._explained(error, target, deadline) from None

    async def _explained(self, refusal: Declined, target: Target, deadline: Deadline) -> Declined:
        try:
            why = await until_answered(
                f"get of {self._name(target)}", lambda: self.obstacle(target, deadline), deadline
            )
        except (DependencyError, OutOfTime):
            return refusal
        return Declined(f"{refusal} ({why})") if why else refusal

    def _name(self, target: Target) -> str:
        return f"{self.noun} {target.names['account']}"


def place_of(target: Target) -> tuple[str, str]:
    """
    Return the resource group and the name of an account, with which each operation on one begins.
    """
    return target.names["resource_group"], target.names["account"]


def both(primary: Any, secondary: Any) -> Keys:
    """
    Return two keys that an answer holds. Raises `ValueError` where one of them is missing.
    """
    if not all(isinstance(key, str) and key for key in (primary, secondary)):
        raise ValueError("an account key is missing")
    return {KeyName.PRIMARY: KeyMaterial(primary), KeyName.SECONDARY: KeyMaterial(secondary)}
