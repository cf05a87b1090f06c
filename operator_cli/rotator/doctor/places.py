"""
The rights of the app's identity on vaults, targets and its own storage.
"""

from collections import defaultdict
from collections.abc import Iterable

from rotator.doctor.deployment import Deployment
from rotator.doctor.estate import Estate
from rotator.doctor.finding import Area, Finding
from rotator.doctor.needs import IN_ACCESS_POLICIES, ON_STORAGE, ON_TARGETS, ON_VAULTS
from rotator.doctor.resources import StorageAccount, Vault
from rotator.doctor.rights import Rights
from rotator.wording import counted, some_of, target_name

_VAULTS, _TARGETS, _STORAGE = Area("vaults"), Area("targets"), Area("storage")


async def find_vault(estate: Estate, uri: str) -> Vault | None:
    """
    Return the vault with a URI, None where the person sees none.
    """
    return await estate.find(
        Vault,
        "Microsoft.KeyVault/vaults",
        "2024-11-01",
        lambda one: one.properties.vault_uri.lower().rstrip("/") == uri,
    )


def vault_not_seen(uri: str, *, was_listed: bool) -> Finding:
    """
    Return what it means that the person sees no vault with a URI of ROTATION_VAULTS.
    """
    if was_listed:
        return _VAULTS.unknown(
            "vault_not_seen",
            f"{uri} is in no subscription that you see: its rights and events were not looked at",
            "sign in as somebody who may read it",
        )
    return _VAULTS.fault(
        "vault_unknown",
        f"{uri} is in no subscription that you see, and the app cannot list it",
        "correct ROTATION_VAULTS: it must hold the URIs of vaults of this tenant, such as https://my-vault.vault.azure.net",
    )


async def look_at_vault(vault: Vault, rights: Rights) -> list[Finding]:
    """
    Return whether the app may read and write the secrets of a vault.
    """
    if vault.properties.enable_rbac_authorization is False:
        return [_by_access_policies(vault, rights.principal_id)]
    if lacking := await rights.lacking(vault.id, ON_VAULTS, is_data=True):
        return [
            _VAULTS.fault(
                "vault_right_missing",
                f"the app may not {_verbs(lacking)} in {vault.name}",
                f"assign Key Vault Secrets Officer on it to {rights.principal_id}",
            )
        ]
    return [_VAULTS.ok(f"the app may read and write the secrets of {vault.name}")]


async def look_at_targets(targets: Iterable[str], rights: Rights) -> list[Finding]:
    """
    Return whether the app may read and regenerate the keys of the targets that secrets name, whatever their kind.
    """
    short: dict[tuple[str, ...], list[str]] = defaultdict(list)
    well = 0
    for target in targets:
        needed = ON_TARGETS.get(_type_of(target))
        if needed is None:
            continue
        if lacking := await rights.lacking(_resource_of(target), needed):
            short[tuple(lacking)].append(target_name(target))
        else:
            well += 1
    findings = [
        _TARGETS.fault(
            "right_missing",
            f"the app may not {', '.join(lacking)} on {some_of(names)}",
            f"assign the custom role of infra/modules/rotation-permissions.bicep there to {rights.principal_id}",
        )
        for lacking, names in short.items()
    ]
    if well:
        findings.append(_TARGETS.ok(f"the app may read and regenerate the keys of {counted(well, 'target')}"))
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
        kinds = [ON_TARGETS[_type_of(scope)]] if _type_of(scope) in ON_TARGETS else list(ON_TARGETS.values())
        if any([not await rights.lacking(_resource_of(scope), needed) for needed in kinds]):
            continue
        grants = await rights.below(scope)
        if any(all(one.allows(action, is_data=False) for action in needed) for one in grants for needed in kinds):
            continue
        findings.append(
            _TARGETS.fault(
                "scope_without_role",
                f"the app may regenerate no key in {scope}",
                f"assign the custom role of infra/modules/rotation-permissions.bicep there to {rights.principal_id}, "
                "or take the scope out of ROTATION_ALLOWED_SCOPES",
            )
        )
    return findings or [
        _TARGETS.ok(f"the app may regenerate keys in {counted(len(deployment.scopes), 'allowed scope')}")
    ]


async def look_at_storage(estate: Estate, name: str, rights: Rights) -> list[Finding]:
    """
    Return whether the app may use its own tables and queues, and its host the blobs that it locks with.
    """
    account = await estate.find(
        StorageAccount, "Microsoft.Storage/storageAccounts", "2024-01-01", lambda one: one.name.lower() == name
    )
    if account is None:
        return [
            _STORAGE.unknown(
                "storage_not_seen",
                f"the storage account {name} is in no subscription that you see",
                "compare the settings AzureWebJobsStorage__*, or sign in as somebody who may read it",
            )
        ]
    missing = [role for role, actions in ON_STORAGE.items() if await rights.lacking(account.id, actions, is_data=True)]
    if missing:
        return [
            _STORAGE.fault(
                "storage_right_missing",
                f"the app lacks {', '.join(missing)} on {name}",
                f"assign {'it' if len(missing) == 1 else 'them'} there to {rights.principal_id}",
            )
        ]
    return [_STORAGE.ok(f"the app may use the tables, queues and blobs of {name}")]


def _by_access_policies(vault: Vault, principal_id: str) -> Finding:
    granted: set[str] = set()
    for policy in vault.properties.access_policies or []:
        if policy.object_id.lower() == principal_id.lower():
            granted |= {one.lower() for one in policy.permissions.secrets or []}
    lacking = [one for one in IN_ACCESS_POLICIES if one not in granted and "all" not in granted]
    if not lacking:
        return _VAULTS.ok(f"the app may read and write the secrets of {vault.name}, by its access policies")
    return _VAULTS.fault(
        "vault_right_missing",
        f"{vault.name} uses access policies, and none gives the app {', '.join(lacking)} on secrets: "
        "role assignments have no effect there",
        f"let it use Azure RBAC, or add a policy for {principal_id} with get, list and set on secrets",
    )


def _verbs(actions: Iterable[str]) -> str:
    return ", ".join(action.removesuffix("/action").rpartition("/")[2] for action in actions)


def _type_of(resource_id: str) -> str:
    """
    Return the type of the resource in an ARM id on which roles are assigned, in lower case; empty for a group.
    """
    parts = resource_id.lower().strip("/").split("/")
    return "/".join(parts[5:7]) if len(parts) > 7 and parts[4] == "providers" else ""  # noqa: PLR2004 - .../type/name


def _resource_of(resource_id: str) -> str:
    """
    Return the id of that resource: Azure assigns no roles on a workflow.
    """
    return "/".join(resource_id.split("/")[:9]) if _type_of(resource_id) else resource_id
