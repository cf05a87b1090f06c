"""
What Azure Resource Manager shows of a deployed app, as the person who is signed in here sees it.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from rotator.connection import Address
from rotator.doctor import deployment as app
from rotator.doctor import eventing, places
from rotator.doctor.deployment import Deployment, Named
from rotator.doctor.estate import Estate, subscription_of
from rotator.doctor.finding import Area, Finding
from rotator.doctor.resource_manager import NotShown, ResourceManager
from rotator.doctor.resources import Vault
from rotator.doctor.rights import Rights
from rotator.doctor.through_the_app import Heard
from rotator.errors import CommandError, NotAdmitted

_AZURE = Area("azure")
_SIGN_IN = (
    "sign in with `az login` as somebody who has Reader on the subscriptions of the app, its vaults, targets and topic"
)
_SETTINGS_RIGHT = "reading the app's settings takes Website Contributor on it, which includes listing them"


def not_looked_at() -> Finding:
    """
    Return that nothing was asked of Azure, because nobody has said which app is meant.
    """
    return _AZURE.unknown(
        "not_looked_at",
        "rights, event subscriptions and topic were not looked at: Azure Resource Manager shows them",
        "set KEY_ROTATOR_APP and KEY_ROTATOR_RESOURCE_GROUP (--app, --resource-group) to the Function App's name and "
        "group, and sign in with `az login`",
    )


async def look(manager: ResourceManager, named: Named, address: Address, heard: Heard) -> list[Finding]:
    """
    Return what stands in the app's way, found side by side. What cannot be looked at is a finding as well.
    """
    try:
        site = await app.find_site(manager, named)
    except CommandError as error:
        return [_unknown(error)]
    if site is None:
        return [
            _AZURE.unknown(
                "app_not_seen",
                f"you see no Function App {named.app} in a resource group {named.resource_group}",
                "compare --app, --resource-group and --subscription with the portal, and `az account show`",
            )
        ]
    host = None if address.is_local else urlsplit(address.base).hostname
    findings = app.look_at_site(site, host)
    looks: list[Awaitable[list[Finding]]] = [app.look_at_functions(manager, site), app.look_at_sign_in(manager, site)]
    try:
        deployment = await app.read_deployment(manager, site)
    except CommandError as error:
        looks.append(_told(_unknown(error, _SETTINGS_RIGHT)))
    else:
        looks += _looks_at_surroundings(manager, deployment, heard)
    for found in await asyncio.gather(*map(_guarded, looks)):
        findings += found
    return findings


def _looks_at_surroundings(
    manager: ResourceManager, deployment: Deployment, heard: Heard
) -> list[Awaitable[list[Finding]]]:
    estate = Estate(manager, filter(None, map(subscription_of, [deployment.site.id, *deployment.scopes])))
    principal = app.principal_of(deployment)
    rights = Rights(manager, principal) if isinstance(principal, str) else None
    looks: list[Awaitable[list[Finding]]] = [
        _Vaults(estate, deployment, rights, heard).look(),
        eventing.look_at_topic(estate, deployment, rights),
    ]
    if rights is None:
        return [*looks, _told(principal)] if isinstance(principal, Finding) else looks
    looks += [places.look_at_scopes(deployment, rights), places.look_at_targets(heard.targets, rights)]
    if account := deployment.storage_account:
        looks.append(places.look_at_storage(estate, account, rights))
    return looks


@dataclass(frozen=True)
class _Vaults:
    """
    The looks at the vaults of ROTATION_VAULTS.
    """

    estate: Estate
    deployment: Deployment
    rights: Rights | None
    heard: Heard

    async def look(self) -> list[Finding]:
        uris = self.deployment.vaults
        # The list is read once for all of them: where it is refused, nothing can be said of any.
        vaults = await asyncio.gather(*(places.find_vault(self.estate, uri) for uri in uris))
        findings = [
            places.vault_not_seen(uri, was_listed=uri not in self.heard.not_listed and not self.heard.is_out_of_reach)
            for uri, vault in zip(uris, vaults, strict=True)
            if vault is None
        ]
        seen = [vault for vault in vaults if vault]
        for found in await asyncio.gather(*map(self._look_at, seen), self._look_for_foreign(seen, uris)):
            findings += found
        return findings

    async def _look_at(self, vault: Vault) -> list[Finding]:
        of_rights = await _guarded(places.look_at_vault(vault, self.rights)) if self.rights else []
        of_events = await _guarded(eventing.look_at_vault_events(self.estate, self.deployment, vault))
        return of_rights + of_events

    async def _look_for_foreign(self, seen: Sequence[Vault], uris: Sequence[str]) -> list[Finding]:
        # A vault that is not seen may be any of those whose topics are.
        if len(seen) < len(uris):
            return []
        return await _guarded(eventing.look_for_foreign_vaults(self.estate, self.deployment, seen))


async def _guarded(look: Awaitable[list[Finding]]) -> list[Finding]:
    try:
        return await look
    except CommandError as error:
        return [_unknown(error)]


async def _told(finding: Finding) -> list[Finding]:
    return [finding]


def _unknown(error: CommandError, remedy: str = _SIGN_IN) -> Finding:
    is_about_rights = isinstance(error, NotShown | NotAdmitted)
    return _AZURE.unknown(error.code, str(error), remedy if is_about_rights else error.remedy)
