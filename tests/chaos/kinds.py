"""
The kinds of fault that any request can meet.
"""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from localcloud.azure.faults import Fault, When
from localcloud.azure.refusal import Refusal, error_body
from localcloud.azure.site_host import every_body
from localcloud.kinds.kind import LocalKind
from tests.chaos.points import SET_SECRET, Aim, Point

FOR_GOOD = 1_000_000  # times: until it is repaired
_DAY = 86_400  # seconds
_LATE = 3.0  # seconds
_NOT_JSON = b"<html><body>A proxy's page</body></html>"
_WRONG_SHAPE = b'{"unexpected": [1, 2, 3]}'


@dataclass(frozen=True)
class _AnyKind:
    """
    What may happen to a request. It comes before its effect or after it.
    """

    name: str
    when: When = field(default="before", kw_only=True)
    only_for_changes: bool = field(default=False, kw_only=True)
    """Of a request that changes nothing it cannot be told from another kind."""

    def __str__(self) -> str:
        return self.name

    def suits(self, point: Point, target: LocalKind) -> bool:
        """
        Whether it makes sense for a request of the rotation of such a target.
        """
        return target in point.kinds and (point.changes or not self.only_for_changes)


@dataclass(frozen=True)
class FaultKind(_AnyKind):
    """
    What is answered to a request, in one or several variants.
    """

    variants: tuple[dict[str, Any], ...]
    is_hang: bool = False
    """It takes until the app gives the answer up."""
    not_for: frozenset[str] = field(default=frozenset())
    only_for_sites: bool = False
    """Only the host of a site fails so."""

    @property
    def variety(self) -> int:
        """
        How many variants there are.
        """
        return len(self.variants)

    def suits(self, point: Point, target: LocalKind) -> bool:
        """
        Whether it makes sense for a request of the rotation of such a target.
        """
        if self.only_for_sites and not point.reaches_a_site(target):
            return False
        return super().suits(point, target) and point.name not in self.not_for

    def faults(self, aim: Aim) -> list[list[Fault]]:
        """
        Return a script for each variant; its last line is the fault itself.
        """
        aimed = {"operation": aim.operation, "target": aim.target, "skip": aim.skip, "when": self.when}
        return [[*aim.also, Fault(**(aimed | variant))] for variant in self.variants]


@dataclass(frozen=True)
class VaultRefusal(FaultKind):
    """
    What Key Vault says, for good, to the new version of a rotation that has regenerated its key.
    """

    helps: str = ""
    """What may let the same request succeed."""

    def suits(self, point: Point, target: LocalKind) -> bool:
        """
        Whether it makes sense for a request of the rotation of such a target.
        """
        return point is SET_SECRET and target in point.kinds


@dataclass(frozen=True)
class KillKind(_AnyKind):
    """
    The process dies while its request is being served, which then takes effect or does not.
    """

    is_lost: bool = False
    variety: int = 1


def _answers(*statuses: int, **more: Any) -> tuple[dict[str, Any], ...]:
    return tuple({"kind": "answer", "status": status} | more for status in statuses)


def _bodies() -> tuple[dict[str, Any], ...]:
    return tuple({"kind": "answer", "status": 200, "body": body} for body in (None, _NOT_JSON, _WRONG_SHAPE))


def _wrapped(**more: Any) -> tuple[dict[str, Any], ...]:
    return tuple({"kind": "answer", "status": 400, "body": body} | more for body in every_body())


# No sender can know of an event that was acknowledged and is not there.
_UNKNOWABLE = frozenset({"EventGrid.Publish"})

FAULT_KINDS = (
    FaultKind("503", _answers(503)),
    FaultKind("dropped", ({"kind": "drop"},)),
    FaultKind("500, 502, 503, 504 after", _answers(500, 502, 503, 504), when="after"),
    FaultKind("dropped after", ({"kind": "drop"},), when="after", only_for_changes=True),
    FaultKind("timeout, then late", ({"kind": "hang"},), is_hang=True),
    FaultKind("timeout after", ({"kind": "hang"},), when="after", is_hang=True, only_for_changes=True),
    FaultKind("429, 1 s", _answers(429, retry_after=1)),
    FaultKind("429, a day", _answers(429, retry_after=_DAY)),
    FaultKind("401 once", _answers(401)),
    FaultKind("401 for good", _answers(401, times=FOR_GOOD)),
    FaultKind("403 once", _answers(403)),
    FaultKind("403 for good", _answers(403, times=FOR_GOOD)),
    FaultKind("odd 200", _bodies(), not_for=_UNKNOWABLE),
    FaultKind("odd 200 after", _bodies(), when="after", only_for_changes=True),
    FaultKind("site's 400", _wrapped(), only_for_sites=True),
    FaultKind("site's 400 after", _wrapped(), when="after", only_for_changes=True, only_for_sites=True),
    FaultKind("site's 400, then late", _wrapped(effect_after=_LATE)[:1], only_for_changes=True, only_for_sites=True),
    FaultKind(
        "429, 500, 503, then late",
        _answers(429, 500, 503, effect_after=_LATE),
        only_for_changes=True,
        only_for_sites=True,
    ),
    FaultKind("site's 400 for good", _wrapped(times=FOR_GOOD)[:1], only_for_sites=True),
)

TIME, A_PERSON, NOTHING = "time", "a person", "nothing"


def _refusal(status: int, code: str, helps: str, *, inner: str | None = None) -> VaultRefusal:
    """
    Return a refusal in Key Vault's own shape, named by its most precise code.
    """
    body = msgspec.json.encode(error_body(Refusal(status, code, f"{inner or code}.", inner_code=inner)))
    answers = _answers(status, body=body, times=FOR_GOOD)
    return VaultRefusal(f"{status} {inner or code}", answers, helps=helps)


# The codes of 409 are recorded, but for recovering; those of 403 and 429 are reported: localcloud/azure/wordings.py.
VAULT_REFUSALS = (
    _refusal(400, "BadParameter", NOTHING),
    _refusal(401, "Unauthorized", A_PERSON),
    _refusal(403, "Forbidden", A_PERSON, inner="ForbiddenByRbac"),
    _refusal(403, "Forbidden", A_PERSON, inner="ForbiddenByFirewall"),
    _refusal(403, "Forbidden", A_PERSON, inner="AccessDenied"),
    _refusal(409, "Conflict", TIME, inner="ObjectIsBeingDeleted"),
    _refusal(409, "Conflict", TIME, inner="ObjectIsBeingRecovered"),
    _refusal(409, "Conflict", TIME),
    _refusal(409, "Conflict", A_PERSON, inner="ObjectIsDeletedButRecoverable"),
    _refusal(429, "Throttled", TIME),
    _refusal(500, "InternalServerError", TIME),
    _refusal(503, "ServiceUnavailable", TIME),
)

KILL_KINDS = (
    KillKind("killed, request lost", when="before", is_lost=True),
    KillKind("killed, late effect", when="before", only_for_changes=True),
    KillKind("killed after", when="after", only_for_changes=True),
)
