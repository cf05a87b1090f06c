"""
The vaults of ROTATION_VAULTS: whether the app may use their secrets, and whether it hears of them.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from rotator.doctor import eventing
from rotator.doctor.deployment import Deployment
from rotator.doctor.estate import Estate
from rotator.doctor.finding import Area, Finding
from rotator.doctor.looking import flat, guarded
from rotator.doctor.needs import IN_ACCESS_POLICIES, ON_VAULTS
from rotator.doctor.resources import Vault
from rotator.doctor.rights import Rights

_VAULTS = Area("vaults")


@dataclass
class Vaults:
    """
    The looks at all of them. `not_listed` are those that the app itself could not list.
    """

    estate: Estate
    deployment: Deployment
    rights: Rights | None
    not_listed: set[str]

    async def look(self) -> list[Finding]:
        """
        Return what stands in the way of each, found side by side.
        """
        uris = self.deployment.vaults
        found = await asyncio.gather(*(guarded(self._look_at(uri)) for uri in uris))
        foreign = await guarded(eventing.look_for_foreign_vaults(self.estate, self.deployment))
        return flat([*found, foreign])

    async def _look_at(self, uri: str) -> list[Finding]:
        vault = await find_vault(self.estate, uri)
        if vault is None:
            return [self._not_seen(uri)]
        looks = [guarded(eventing.look_at_vault_events(self.estate.manager, self.deployment, vault))]
        if self.rights:
            looks.append(guarded(self._look_at_rights(vault, self.rights, is_listed=uri not in self.not_listed)))
        return flat(await asyncio.gather(*looks))

    def _not_seen(self, uri: str) -> Finding:
        if uri in self.not_listed:
            return _VAULTS.fault(
                "vault_unknown",
                f"{uri} is in no subscription that you see, and the app cannot list it",
                "correct ROTATION_VAULTS: it must hold URIs of vaults of this tenant, such as "
                "https://my-vault.vault.azure.net",
            )
        return _VAULTS.unknown(
            "vault_not_seen",
            f"{uri} is in no subscription that you see: its rights and events were not looked at",
            "sign in as somebody who may read it",
        )

    async def _look_at_rights(self, vault: Vault, rights: Rights, *, is_listed: bool) -> list[Finding]:
        if not vault.properties.enable_rbac_authorization:
            # Azure leaves it out of vaults that are older than it.
            return [by_access_policies(vault, rights.principal_id, is_listed=is_listed)]
        if lacking := await rights.lacking(vault.id, ON_VAULTS, is_data=True):
            return [
                _VAULTS.fault(
                    "vault_right_missing",
                    f"in {vault.name}, the app lacks the right to {_verbs(lacking)}",
                    f"assign Key Vault Secrets Officer on it to {rights.principal_id}",
                )
            ]
        return [_VAULTS.ok(f"the app may read and write the secrets of {vault.name}")]


async def find_vault(estate: Estate, uri: str) -> Vault | None:
    """
    Return the vault with a URI, None where there is none.
    """
    return await estate.find(
        Vault,
        "Microsoft.KeyVault/vaults",
        "2024-11-01",
        lambda one: one.properties.vault_uri.lower().rstrip("/") == uri,
    )


def by_access_policies(vault: Vault, principal_id: str, *, is_listed: bool) -> Finding:
    """
    Return whether the policies of a vault that knows no roles let the app in. Those of a group may: the app can say.
    """
    policies = vault.properties.access_policies
    granted: set[str] = set()
    for policy in policies:
        if policy.object_id.lower() == principal_id.lower():
            granted |= {one.lower() for one in policy.permissions.secrets}
    lacking = [one for one in IN_ACCESS_POLICIES if one not in granted and "all" not in granted]
    if not lacking:
        return _VAULTS.ok(f"the app may read and write the secrets of {vault.name}, by its access policies")
    remedy = f"let it use Azure RBAC, or add a policy for {principal_id} with get, list and set on secrets"
    if policies and is_listed:
        return _VAULTS.unknown(
            "vault_right_unclear",
            f"{vault.name} uses access policies, and lets the app in by none of its own: one of a group must",
            remedy,
        )
    return _VAULTS.fault(
        "vault_right_missing",
        f"{vault.name} uses access policies, and none gives the app {', '.join(lacking)} on secrets: "
        "role assignments have no effect there",
        remedy,
    )


def _verbs(actions: Iterable[str]) -> str:
    return ", ".join(action.removesuffix("/action").rpartition("/")[2] for action in actions)
