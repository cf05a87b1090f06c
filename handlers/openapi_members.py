"""
What each member of an answer means, and in which format it comes: what the types that are encoded do not say.
"""

from typing import Any

from rotation.vocabulary import endings
from rotation.vocabulary.limits import LONGEST_CONTINUATION, LONGEST_NAME, LONGEST_REASON, MAX_ATTEMPTS_TO_FINISH

_TIME = {"format": "date-time"}
_ID = {"format": "uuid"}
_URI = {"format": "uri"}
_SHORT = {"maxLength": LONGEST_NAME}
_ARM_ID = {"pattern": "^/[Ss][Uu][Bb][Ss][Cc][Rr][Ii][Pp][Tt][Ii][Oo][Nn][Ss]/.+"}
_RESOURCE_TYPE = {"pattern": r"^[A-Za-z.]+(/[A-Za-z]+)+$"}
#: What the error of a record can be.
FAILURES = sorted(
    kind.code
    for kind in vars(endings).values()
    if isinstance(kind, type) and issubclass(kind, endings.Failure) and kind is not endings.Failure
)
_VERSION = {"pattern": "^[0-9a-f]{32}$"}

#: By the member's name, or by type and name where one name has two meanings: the description and what limits it.
MEMBERS: dict[str, tuple[str, dict[str, Any]]] = {
    "adopted": ("Whether the key was not regenerated, because another secret of the target holds it already.", {}),
    "allowedOn": ("From then on the key may be regenerated.", _TIME),
    "appId": ("The client id of the application that asked; null where its token has none.", _SHORT),
    "asOf": ("When all vaults had been looked through last; null before the first look.", _TIME),
    "attempts": ("How often the rotation has been worked on.", {"minimum": 0, "maximum": MAX_ATTEMPTS_TO_FINISH}),
    "checks": ("What a rotation needs, each part with `ok` or what is wrong.", {}),
    "code": ("Stable: what programs look at.", {"pattern": "^[a-z_]+$"}),
    "completedOn": ("When it ended; null until then.", _TIME),
    "continuation": (
        "What to ask for the next page with; null on the last one.",
        {"maxLength": LONGEST_CONTINUATION, "pattern": "^[A-Za-z0-9_-]*$"},
    ),
    "detail": ("What is wrong, what is allowed, and what to do, for people.", {}),
    "dueOn": ("When the leaked key is to be dead, if no secret holds it then; null where nothing revokes it.", _TIME),
    "error": ("Why it failed; null where it did not.", {}),
    "expiresOn": ("When the version expires; null where it does not.", _TIME),
    "gapSeconds": ("For how many seconds the secret held a dead key.", {"minimum": 0}),
    "heldKey": ("The key that the value was last seen to hold; null where that is not known.", {}),
    "id": ("The rotation's id.", _ID),
    "keyName": ("The key that the secret's tags name.", {}),
    "lastRotation": ("The last rotation of it that is known; null where there was none.", {}),
    "leakedKey": ("The leaked key that its value holds; null where it holds none.", {}),
    "message": ("What happened, to what, and what to do, for people.", {}),
    "name": ("The secret's name.", {"pattern": "^[0-9A-Za-z-]{1,127}$"}),
    "neighbours": ("The other secrets of its target.", {}),
    "nextRotationOn": ("When an event or the sweep will rotate it; null where neither will.", _TIME),
    "objectId": ("The object id of who asked, by which the directory knows them.", _SHORT),
    "on": ("When they were compared.", _TIME),
    "previousKeyName": ("The key that the secret held before.", {}),
    "previousVersion": ("The version that was replaced.", _VERSION),
    "proven": ("Whether the new key was seen to work; null where it was not asked for.", {}),
    "provider": ("The type of Azure resource that the key belongs to; null where it is not known.", _RESOURCE_TYPE),
    "reason": ("What the caller gave as a reason.", {"maxLength": LONGEST_REASON}),
    "requestedBy": ("Who asked; null for events, sweeps, and callers with a function key.", {}),
    "retryable": ("Whether a later rotation can succeed although nobody does anything.", {}),
    "revocation": ("The id of the rotation that regenerates the leaked key.", _ID),
    "rotationId": ("The rotation that the problem is about: the caller's own, or the one that runs.", _ID),
    "rotations": ("Newest first.", {}),
    "secret": ("The secret that it is about; null where it is about a target.", {}),
    "secrets": ("The secrets of the page.", {}),
    "seenOn": ("When the vault was read.", _TIME),
    "sharesTargetWith": (
        "The URIs of the other managed secrets of its target.",
        {"items": {"type": "string", "format": "uri"}},
    ),
    "skipReason": ("Why it was skipped; null where it was not.", {}),
    "startedOn": ("When it was asked for.", _TIME),
    "step": ("The name of the step.", {"pattern": "^[a-z]+$"}),
    "steps": ("What would happen, in order.", {}),
    "target": ("The ARM id of what the key belongs to; null where it is not known.", _ARM_ID),
    "title": ("The words of the HTTP status.", {}),
    "type": ("A URN that ends with the code.", _URI),
    "vault": ("The vault's URI.", {"pattern": "^https://[^/]+$", **_URI}),
    "verified": ("How its value compared with the target's keys; null where that was not done yet.", {}),
    "version": ("The newest version that the rotation knows of.", _VERSION),
    "why": ("The reason, for people; null where none is needed.", {}),
    "Caller.name": ("The name of the person who asked; null for most applications.", _SHORT),
    "Health.status": ("`Healthy` or `Unhealthy`.", {"enum": ["Healthy", "Unhealthy"]}),
    "LastRotation.error": ("The code of its failure; null where it did not fail.", {"enum": FAILURES}),
    "ManagedSecret.name": ("The secret's name; null for one whose name is not shown.", {}),
    "Neighbour.status": ("How it stands; null where no look has found it yet.", {}),
    "Problem.code": ("Why it failed, for programs: stable.", {"enum": FAILURES}),
    "ProblemDetails.status": ("The HTTP status.", {"minimum": 400, "maximum": 599}),
    "Rotation.keyName": ("The key that it regenerates, or adopts; null where none is chosen yet.", {}),
    "Rotation.revocation": ("The rotation that regenerates the leaked key which the secret leaves.", {}),
    "SecretChange.strategy": ("How it is rotated: with both keys in turn, or one in place.", {}),
    "Step.detail": ("What it would do.", {}),
}


def describe_members(components: dict[str, Any]) -> None:
    """
    Add to the schema of each type what its members mean, where the type itself says nothing.
    """
    for kind, component in components.items():
        for name, schema in component.get("properties", {}).items():
            description, limits = MEMBERS.get(f"{kind}.{name}") or MEMBERS.get(name) or ("", {})
            given = _without_null(schema)
            if description and "description" not in schema | given:
                schema["description"] = description
                given.update(limits)


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """
    Return the part of a schema that is about what is given.
    """
    choices: list[dict[str, Any]] = schema.get("anyOf", [schema])
    return next(choice for choice in choices if choice != {"type": "null"})
