"""
The things whose keys are rotated. Which kinds of them there are is the affair of `providers/`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from urllib.parse import quote

from msgspec import Struct

from rotation.vocabulary.credential import Candidate, CredentialForm
from rotation.vocabulary.limits import LONGEST_SPELLING
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.pasted import bare
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


#: What the client of a kind returns for each key of a target: a key, or a URL that is signed with it.
Keys = Mapping[KeyName, KeyMaterial]


class Target(Struct, frozen=True):
    """
    Something whose keys are rotated, as its kind read it from an ARM id.

    `provider` names the kind, `names` are those in the id. `arm_id` is what owns the keys, spelled as it was given.
    `shown_by` is the ARM id of what shows them: each trigger of a workflow does so in its own way. `form` is what its
    credentials look like.
    """

    provider: str
    names: dict[str, str]
    arm_id: str
    shown_by: str
    form: CredentialForm

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

    def fingerprint(self, given: KeyMaterial) -> str:
        """
        Return the SHA-256 of the credential that a key gives: it differs for two keys, and does not show the key.
        """
        return self.form.credential(given).fingerprint

    def candidates(self, value: KeyMaterial) -> list[Candidate]:
        """
        Return every part of a value that has the form of this target's credentials.
        """
        return self.form.candidates(self.names, value)

    def held(self, value: KeyMaterial) -> list[Candidate]:
        """
        Return every part of a value that may be a credential: all of it where nothing in it has the form of one.

        So a key of a form that its kind does not expect is still found where it stands alone.
        """
        return self.candidates(value) or [_alone(value)]

    def may_hold(self, value: KeyMaterial, given: KeyMaterial) -> bool:
        """
        Return whether a credential stands in a value, in whatever spelling: somebody may read it there.
        """
        credential = self.form.credential(given)
        if any(candidate.credential == credential for candidate in self.held(value)):
            return True
        # Letters and digits stay as they are in every usual spelling: how the others are written does not matter.
        words = re.findall(r"[A-Za-z0-9]+|[^A-Za-z0-9]+", credential.reveal().strip("+/=-_"))
        anyhow = "".join(
            word if word.isalnum() else f".{{{len(word)},{len(word) * LONGEST_SPELLING}}}?" for word in words
        )
        # A long key may be broken into lines.
        text = value.reveal()
        return any(re.search(anyhow, each, re.DOTALL) for each in (text, re.sub(r"\s+", "", text)))

    def exchanged(self, value: KeyMaterial, places: Sequence[Candidate], given: KeyMaterial) -> KeyMaterial:
        """
        Return a value with another credential at these places, and all of it replaced where there are none.
        """
        return self.form.exchanged(value, places, given) if places else given


def _alone(value: KeyMaterial) -> Candidate:
    text = value.reveal()
    word = bare(text)
    start = text.find(word)
    return Candidate(start, start + len(word), KeyMaterial(word))


def identity_of(arm_id: str) -> str:
    """
    Return the identity of the target with this ARM id.
    """
    return caseless(arm_id)


#: Returns the target that an ARM id names; raises `Misconfigured` for any other text.
ParseTarget = Callable[[str], Target]
