"""
The targets: whether the app may read and regenerate their keys, and those of whatever else its scopes allow.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable

from rotator.doctor.deployment import Deployment
from rotator.doctor.finding import Area, Finding
from rotator.doctor.looking import not_seen
from rotator.doctor.needs import ON_TARGETS, type_of
from rotator.doctor.rights import Rights
from rotator.errors import CommandError
from rotator.wording import counted, some_of, target_name

_TARGETS = Area("targets")
_ROLE = "the custom role of infra/modules/rotation-permissions.bicep"


async def look_at_targets(targets: Iterable[str], rights: Rights) -> list[Finding]:
    """
    Return whether the app may read and regenerate the keys of targets.
    """
    lacking: dict[tuple[str, ...], list[str]] = defaultdict(list)
    findings = []
    for target in targets:
        if needed := ON_TARGETS.get(type_of(target)):
            try:
                lacking[tuple(await rights.lacking(_resource_of(target), needed))].append(target_name(target))
            except CommandError as error:
                findings.append(not_seen(error))
    well = lacking.pop((), [])
    findings += [
        _TARGETS.fault(
            "right_missing",
            f"the app lacks {', '.join(actions)} on {some_of(names)}",
            f"assign {_ROLE} there to {rights.principal_id}",
        )
        for actions, names in lacking.items()
    ]
    if well:
        findings.append(_TARGETS.ok(f"the app may read and regenerate the keys of {counted(len(well), 'target')}"))
    return findings


async def look_at_scopes(deployment: Deployment, rights: Rights) -> list[Finding]:
    """
    Return whether there is anything in each allowed scope whose keys the app may regenerate.
    """
    if not deployment.scopes:
        return [
            _TARGETS.fault(
                "scopes_empty",
                "ROTATION_ALLOWED_SCOPES is empty, which allows nothing",
                "name resource groups or single resources there, by their ARM ids",
            )
        ]
    findings = []
    for scope in deployment.scopes:
        try:
            is_well = await _is_anything_allowed(scope, rights)
        except CommandError as error:
            findings.append(not_seen(error))
            continue
        if not is_well:
            findings.append(
                _TARGETS.fault(
                    "scope_without_role",
                    f"the app may regenerate no key in {scope}",
                    f"assign {_ROLE} there to {rights.principal_id}, or take the scope out of ROTATION_ALLOWED_SCOPES",
                )
            )
    return findings or [
        _TARGETS.ok(f"the app may regenerate keys in {counted(len(deployment.scopes), 'allowed scope')}")
    ]


async def _is_anything_allowed(scope: str, rights: Rights) -> bool:
    """
    Return whether the app has all that some kind needs, at a scope or at something below it.
    """
    kind = ON_TARGETS.get(type_of(scope))
    kinds = [kind] if kind else list(ON_TARGETS.values())
    for place in (_resource_of(scope), *await rights.scopes_below(scope)):
        if not all(await asyncio.gather(*(rights.lacking(place, needed) for needed in kinds))):
            return True
    return False


def _resource_of(resource_id: str) -> str:
    """
    Return the id of that resource: Azure assigns no roles on a workflow.
    """
    return "/".join(resource_id.split("/")[:9]) if type_of(resource_id) else resource_id
