"""
What a person can do about each of the API's error codes, and about a rotation that was skipped.
"""

COMMAND = "rotator"
OBSERVING = "its setting ROTATION_MODE=rotate lets it rotate: docs/how-to/observe-first.md"

_REMEDIES = {
    "forbidden": (
        "the app's settings ROTATION_VAULTS and ROTATION_ALLOWED_SCOPES say what it may touch; "
        "an app role that is missing is assigned to you in Microsoft Entra"
    ),
    "secret_not_found": f"`{COMMAND} status` lists the managed secrets; `{COMMAND} manage` manages another one",
    "target_not_found": "compare the ARM id, or the secret's tag ProviderAddress, with the resource in Azure",
    "rotation_not_found": f"`{COMMAND} history` lists the rotations that are known",
    "active_key": (
        "rotate the secret without --key, or the target's other key; --force regenerates this one nevertheless, "
        "and clients fail until they read the secret again"
    ),
    "drift": (
        "somebody regenerated a key by hand: --force stores the present value of the key "
        "that the tag CredentialId names"
    ),
    "single_key": "set the secret's tag RotationStrategy=InPlace: docs/configuration.md says what clients will notice",
    "misconfigured": "correct the tag or the value that it names, as docs/configuration.md describes them",
    "idempotency_conflict": "take another --idempotency-key for another request",
    "provider_refused": "compare the rights of the app's identity on the target with docs/deploy.md",
    "vault_refused": "compare the rights of the app's identity on the vault with docs/deploy.md",
    "key_refused": "try the new key at the target by hand; where it works by now, rotate again",
    "exhausted": "put the cause right, then rotate again",
    "too_soon": (
        "ask again then, or with --ignore-grace if clients read every new version at once; "
        "either needs another --idempotency-key"
    ),
    "not_cancellable": f"only what is Scheduled can be cancelled: `{COMMAND} history --state Scheduled` lists that",
    "revocation_pending": (
        "clients need this key until the other one is dead: report it again then, or cancel that revocation"
    ),
    "observing": OBSERVING,
    "unavailable": f"try again later; `{COMMAND} health` names the part that is down",
    "settings": f"put that setting of the app right; `{COMMAND} health` names it",
}
_REMEDIES_OF_MANAGING = {
    "already_managed": (
        f"`{COMMAND} show` says which target it is managed for; `{COMMAND} unmanage` ends that, if this one is meant"
    ),
    "name_deleted": (
        "recover the deleted secret (az keyvault secret recover) and manage that, or purge it, or take another name"
    ),
    "drift": (
        "its value must hold a key of that target as it is now: store one, compare --target, "
        f"or let `{COMMAND} create` make another secret"
    ),
    "secret_not_found": (
        f"compare vault and name. `{COMMAND} manage` puts one under management that is there, and `{COMMAND} create` "
        "makes another"
    ),
    "revocation_pending": (
        f"a key of the target was reported as leaked: `{COMMAND} watch` that rotation to its end, or cancel it, first"
    ),
    "misconfigured": "correct what it names: docs/configuration.md#tags-on-a-managed-secret",
}
_REMEDIES_OF_SKIPPED = {
    "paused": f"`{COMMAND} resume SECRET` ends the pause",
    "busy": (
        f"`{COMMAND} history` shows the one that was running; ask again when it has ended, "
        "with another --idempotency-key if you gave one"
    ),
    "unmanaged": (
        "put the tag ProviderAddress on it, as docs/configuration.md describes it; "
        f"`{COMMAND} status` shows a secret whose tags are nearly right as NearlyManaged"
    ),
    "observing": f"the app changes nothing, and says in its steps what it would do; {OBSERVING}",
}
#: What to do about a key that nobody has seen work.
UNPROVEN = "docs/how-to/a-failed-rotation.md#a-key-that-is-not-proven says what to do"


def remedy_for_skipped(reason: str) -> str | None:
    """
    Return what to do next about a rotation that was skipped, None where nothing has to be done.
    """
    return _REMEDIES_OF_SKIPPED.get(reason)


def remedy_for_managing(code: str, rotation_id: str | None) -> str | None:
    """
    Return what to do next where a secret could not be managed, created or changed.
    """
    return _REMEDIES_OF_MANAGING.get(code) or remedy_for(code, rotation_id)


def remedy_for(code: str, rotation_id: str | None = None) -> str | None:
    """
    Return what to do next, None where the error's own words say it.
    """
    if code == "busy":
        return f"`{COMMAND} {f'watch {rotation_id}' if rotation_id else 'history'}` shows it; then ask again"
    return _REMEDIES.get(code)
