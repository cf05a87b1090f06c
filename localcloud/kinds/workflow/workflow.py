"""
Logic App (Standard) workflows: their triggers, their keys and the callback URLs that these sign.

It rests on assumptions 29, 30, 31, 32, 33, 34 and 36 of docs/fidelity.md.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from localcloud.azure.access_keys import KEY_NAMES, AccessKeys, KeyName
from localcloud.azure.key_history import KeyHistory
from localcloud.kinds.kind import Resource
from localcloud.kinds.workflow.consumer import WorkflowConsumer

CALLBACK_API_VERSION = "2022-05-01"
SIGNATURE_VERSION = "1.0"
TRIGGER = "manual"


@dataclass(frozen=True)
class Trigger:
    """
    What starts a workflow. `type` is as in its definition: `Request`, `Recurrence`, ...
    """

    name: str
    type: str = "Request"

    @property
    def has_callback_url(self) -> bool:
        """
        Only a Request trigger is started by a URL.
        """
        return self.type == "Request"


@dataclass(eq=False)
class Workflow(Resource):
    """
    One workflow. Its two keys sign the callback URLs of all its Request triggers.

    With `signs_with_one_key` the primary key signs, whichever is asked for: no rotation can alternate on that.
    """

    arm_id: str
    site: str
    name: str
    origin: str
    """`https://localhost:PORT` of its Logic App."""
    triggers: Mapping[str, Trigger]
    """By their names in lower case."""
    history: KeyHistory
    signs_with_one_key: bool = False
    has_sas: bool = True
    """Whether SAS authentication is on: without it callback URLs are not signed."""
    runs: int = 0
    """How often a valid callback URL started it."""

    def __post_init__(self) -> None:
        self.keys = AccessKeys(self.arm_id, self.history, _make_key)
        self._record_signatures()

    @property
    def address(self) -> str:
        """
        The trigger whose callback URL a secret holds.
        """
        return f"{self.arm_id}/triggers/{TRIGGER}"

    def value(self, key: KeyName) -> str:
        return self.callback_url(TRIGGER, key)

    def consumer(self) -> WorkflowConsumer:
        return WorkflowConsumer(self.arm_id)

    def regenerate(self, key: KeyName) -> None:
        """
        Replace a key; every callback URL that it signed is dead when this returns.
        """
        super().regenerate(key)
        self._record_signatures()

    def callback_url(self, trigger: str = TRIGGER, key: KeyName = "Primary") -> str:
        """
        Return the full URL that starts the workflow by a trigger, signed with a key.
        """
        return f"{self.base_path(trigger)}?{urlencode(self.queries(trigger, key))}"

    def base_path(self, trigger: str) -> str:
        """
        Return the callback URL without its query.
        """
        return f"{self.origin}/api/{quote(self.name)}/triggers/{quote(trigger)}/invoke"

    def queries(self, trigger: str, key: KeyName) -> dict[str, str]:
        """
        Return the query of a callback URL.
        """
        if not self.has_sas:
            return {"api-version": CALLBACK_API_VERSION}
        return {
            "api-version": CALLBACK_API_VERSION,
            "sp": _permission(trigger),
            "sv": SIGNATURE_VERSION,
            "sig": self.signature(trigger, key),
        }

    def signature(self, trigger: str, key: KeyName) -> str:
        """
        Return the `sig` that a key gives a trigger, over path, `sp` and `sv` (what Azure's covers is not documented).
        """
        signing_key = self.keys["Primary" if self.signs_with_one_key else key]
        text = f"/api/{self.name}/triggers/{trigger}/invoke\n{_permission(trigger)}\n{SIGNATURE_VERSION}".casefold()
        digest = hmac.new(signing_key.encode(), text.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def accepts(self, trigger: str, sig: str) -> bool:
        """
        Whether a signature is one that a present key gives this trigger.
        """
        valid = [self.signature(trigger, key) for key in KEY_NAMES]
        return any(hmac.compare_digest(sig.encode(), known.encode()) for known in valid)

    def _record_signatures(self) -> None:
        for trigger in self.triggers.values():
            if trigger.has_callback_url:
                for key in KEY_NAMES:
                    owner = f"{self.arm_id}/triggers/{trigger.name}"
                    self.history.begin(owner, key, self.signature(trigger.name, key))


def _permission(trigger: str) -> str:
    return f"/triggers/{trigger}/run"


def _make_key() -> str:
    return secrets.token_urlsafe(32)
