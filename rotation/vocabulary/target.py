"""
The things whose keys are rotated, read from their ARM ids.
"""

import hashlib
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar
from urllib.parse import parse_qs, unquote

from msgspec import Struct

from rotation.vocabulary.errors import Misconfigured
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.pasted import arm_path, bare, unwrapped
from rotation.vocabulary.quoting import quoted
from rotation.vocabulary.spelling import caseless, is_name, oddity

# Words of ARM's own are ASCII, and nothing here may take the Kelvin sign for a k. Names may hold letters of any script,
# which are checked by themselves. Wherever a name becomes part of a URL, `.` and `..` would collapse the path: neither
# is a name. Compiled when the first id is read, not at a cold start.
_SUBSCRIPTION = r"(?P<subscription>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
_RESOURCE_GROUP = r"(?P<resource_group>[^/]{0,89}[^/.])"
_GROUP = rf"/subscriptions/{_SUBSCRIPTION}/resourceGroups/{_RESOURCE_GROUP}"
_BATCH_ACCOUNT = rf"{_GROUP}/providers/Microsoft\.Batch/batchAccounts/(?P<account>[a-z0-9]{{3,24}})"
_WORKFLOW = (
    rf"{_GROUP}/providers/Microsoft\.Web/sites/(?P<site>[a-z0-9](?:[-a-z0-9]{{0,58}}[a-z0-9])?)"
    r"(?:/hostruntime/runtime/webhooks/workflow/api/management)?"
    r"/workflows/(?P<workflow>[^/]{1,80})(?:/triggers/(?P<trigger>[^/]{0,79}[^/.]))?"
)
# Besides letters and digits: resource groups as Azure documents them, triggers as the designer lets people name them.
_OTHER_CHARACTERS = {"resource_group": "-_.()", "workflow": "-_", "trigger": " -_.(),'&@!"}
_FLAGS = re.IGNORECASE | re.ASCII


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


Keys = Mapping[KeyName, KeyMaterial]


class BatchAccount(Struct, frozen=True, tag="batch"):
    """
    An Azure Batch account; its secret holds the account key itself.
    """

    provider: ClassVar[str] = "Microsoft.Batch/batchAccounts"

    subscription: str
    resource_group: str
    account: str

    @property
    def arm_id(self) -> str:
        """
        The account's ARM id, spelled as it was given.
        """
        group = f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"
        return f"{group}/providers/{self.provider}/{self.account}"

    @property
    def claim_id(self) -> str:
        """
        What is claimed while its keys are rotated: equal for every spelling of the same account.
        """
        return caseless(self.arm_id)

    @property
    def address(self) -> str:
        """
        What shows the keys: equal for every spelling of the same account.
        """
        return self.claim_id

    def fingerprint(self, material: KeyMaterial) -> str:
        """
        Return the SHA-256 of an account key: tells two keys apart, tells nobody the key.
        """
        return _sha256(material.reveal())


class Workflow(Struct, frozen=True, tag="workflow"):
    """
    A workflow of a Logic App (Standard), or one of its Request triggers; its secret holds a callback URL.
    """

    provider: ClassVar[str] = "Microsoft.Web/sites/workflows"

    subscription: str
    resource_group: str
    site: str
    workflow: str
    trigger: str | None = None

    @property
    def arm_id(self) -> str:
        """
        The workflow's ARM id, spelled as it was given and without its trigger: all its triggers share the keys.
        """
        group = f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"
        return f"{group}/providers/Microsoft.Web/sites/{self.site}/workflows/{self.workflow}"

    @property
    def claim_id(self) -> str:
        """
        What is claimed while its keys are rotated: equal for every spelling and every trigger of the same workflow.
        """
        return caseless(self.arm_id)

    @property
    def address(self) -> str:
        """
        What shows the keys, which each trigger does in its own way: equal for every spelling of the same trigger.
        """
        return f"{self.claim_id}/triggers/{caseless(self.trigger)}" if self.trigger else self.claim_id

    def fingerprint(self, material: KeyMaterial) -> str:
        """
        Return the SHA-256 of a callback URL's signature, the only part of it that depends on the key.

        A text without a signature gets the fingerprint of the whole text, which no callback URL has.
        """
        url = material.reveal()
        # By hand: urlsplit raises over some texts, and quotes them.
        query = url.partition("#")[0].partition("?")[2]
        signature = parse_qs(query).get("sig", [""])[0]
        return _sha256(signature or f"unsigned {url}")


Target = BatchAccount | Workflow


def parse_target(arm_id: str) -> Target:
    """
    Return the target that an ARM id names. It is read as people copy it (`pasted.py`), its case ignored.

    Raises `Misconfigured` for any other id.
    """
    path = _decoded(arm_path(arm_id))
    if (batch := re.fullmatch(_BATCH_ACCOUNT, path, _FLAGS)) and (names := _names(batch)):
        return BatchAccount(**names)
    if (workflow := re.fullmatch(_WORKFLOW, path, _FLAGS)) and (names := _names(workflow)):
        return Workflow(**names)
    raise Misconfigured(
        f"{quoted(unwrapped(arm_id))} is not the ARM id of something this app can rotate; it must be /subscriptions"
        "/{id}/resourceGroups/{group}/providers/Microsoft.Batch/batchAccounts/{account} or .../providers/Microsoft.Web"
        f"/sites/{{site}}/workflows/{{workflow}}[/triggers/{{trigger}}]{oddity(path)}"
    )


def _decoded(path: str) -> str:
    """
    Return a path as it reads without percent-encoding. What is no text becomes a character that is in no name.
    """
    if "%" not in path:
        return path
    return "/".join(unquote(segment).replace("/", "\ufffd") for segment in path.split("/"))


def _names(found: re.Match[str]) -> dict[str, str] | None:
    """
    Return the names in an ARM id, None if one of them cannot be a name.
    """
    names = {part: name for part, name in found.groupdict().items() if name}
    for part, others in _OTHER_CHARACTERS.items():
        name = names.get(part, "x")
        if not is_name(name, others, marks=part != "resource_group") or name != bare(name) or name.endswith("."):
            return None
    return names


def _sha256(text: str) -> str:
    return hashlib.sha256(KeyMaterial(text).encoded).hexdigest()
