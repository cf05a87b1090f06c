"""
The things whose keys are rotated. Which kinds of them there are is the affair of `providers/`.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from urllib.parse import quote

from msgspec import Struct

from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.spelling import caseless


class KeyName(StrEnum):
    """
    The two keys that every target has.
    """

    PRIMARY = "Primary"
    SECONDARY = "Secondary"

    @property
    def other(self) -> "KeyName":
        """
        The alternate of this key.
        """
        return KeyName.SECONDARY if self is KeyName.PRIMARY else KeyName.PRIMARY


#: The credential that each key of a target gives.
Keys = Mapping[KeyName, KeyMaterial]


class Target(Struct, frozen=True):
    """
    Something whose keys are rotated, as its kind read it from an ARM id.

    `provider` names the kind, `names` are those in the id. `arm_id` is what owns the keys, spelled as it was given.
    `shown_by` is the ARM id of what shows them: each trigger of a workflow does so in its own way. `credential` returns
    the part of a secret's value that depends on the key, and `exchange` a value in which another one stands.
    """

    provider: str
    names: dict[str, str]
    arm_id: str
    shown_by: str
    credential: Callable[[KeyMaterial], KeyMaterial]
    exchange: "Exchange"

    @property
    def written(self) -> str:
        """
        The id of what shows the keys as it is stored and sent: what people put around an id may be part of a name.
        """
        return quote(self.shown_by)

    @property
    def identity(self) -> str:
        """
        Equal for every spelling of what owns the keys: what is claimed while they are rotated.
        """
        return identity_of(self.arm_id)

    @property
    def address(self) -> str:
        """
        Equal for every spelling of what shows the keys.
        """
        return caseless(self.shown_by)

    def fingerprint(self, material: KeyMaterial) -> str:
        """
        Return the SHA-256 of a credential: it differs for two keys, and does not show the key.
        """
        return self.credential(material).fingerprint

    def may_hold(self, value: KeyMaterial, material: KeyMaterial) -> bool:
        """
        Return whether a credential stands in the value of a secret, in whatever form: somebody may read it there.
        """
        credential = self.credential(material)
        return self.credential(value) == credential or credential.reveal() in value.reveal()

    def require_form(self, value: KeyMaterial) -> None:
        """
        Raise `Misconfigured` where a value is of a form that cannot hold a credential of this target.
        """
        self.exchange(self.names, value, value)

    def exchanged(self, value: KeyMaterial, credential: KeyMaterial) -> KeyMaterial:
        """
        Return the value of a secret with another credential in it. Raises as `require_form` does.
        """
        return self.exchange(self.names, value, credential)


def identity_of(arm_id: str) -> str:
    """
    Return the identity of the target with this ARM id.
    """
    return caseless(arm_id)


#: Takes the names of a target, the value of a secret and a credential.
Exchange = Callable[[Mapping[str, str], KeyMaterial, KeyMaterial], KeyMaterial]
#: Returns the target that an ARM id names; raises `Misconfigured` for any other text.
ParseTarget = Callable[[str], Target]
