"""
What Azure Resource Manager shows of a deployed app, as the person who is signed in here sees it.
"""

import asyncio
from collections.abc import Awaitable
from urllib.parse import urlsplit

from rotator.connection import Address
from rotator.doctor import deployment as app
from rotator.doctor import eventing
from rotator.doctor.deployment import Deployment, Named
from rotator.doctor.estate import Estate, subscription_of
from rotator.doctor.finding import Area, Finding
from rotator.doctor.looking import flat, guarded, not_seen
from rotator.doctor.resource_manager import ResourceManager
from rotator.doctor.rights import Rights
from rotator.doctor.sign_in import look_at_sign_in
from rotator.doctor.storage import look_at_storage
from rotator.doctor.targets import look_at_scopes, look_at_targets
from rotator.doctor.through_the_app import Heard
from rotator.doctor.vaults import Vaults
from rotator.errors import CommandError

_AZURE = Area("azure")
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
        return [not_seen(error)]
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
    looks: list[Awaitable[list[Finding]]] = [app.look_at_functions(manager, site)]
    mode = None
    try:
        deployment = await app.read_deployment(manager, site)
    except CommandError as error:
        findings.append(not_seen(error, _SETTINGS_RIGHT))
    else:
        mode = deployment.text("ROTATION_AUTHENTICATION") or "key"
        findings += app.look_at_references(deployment)
        looks.append(_look_around(manager, deployment, heard))
    looks.append(look_at_sign_in(manager, site, mode))
    return findings + flat(await asyncio.gather(*map(guarded, looks)))


async def _look_around(manager: ResourceManager, deployment: Deployment, heard: Heard) -> list[Finding]:
    estate = Estate(manager, filter(None, map(subscription_of, [deployment.site.id, *deployment.scopes])))
    principal, storing = app.principal_of(deployment), app.principal_for_storage(deployment)
    findings = [one for one in dict.fromkeys((principal, storing)) if isinstance(one, Finding)]
    rights = None if isinstance(principal, Finding) else Rights(manager, principal)
    looks: list[Awaitable[list[Finding]]] = [
        Vaults(estate, deployment, rights, heard.not_listed).look(),
        eventing.look_at_topic(estate, deployment, rights),
    ]
    if rights:
        # A secret's tag may name anything: the app needs no rights on what it must not touch.
        allowed = [target for target in heard.targets if deployment.allows(target)]
        looks += [look_at_scopes(deployment, rights), look_at_targets(allowed, rights)]
    if not isinstance(storing, Finding):
        # Most often it is the same identity, whose roles are read once.
        own = rights if rights and storing == principal else Rights(manager, storing)
        looks.append(look_at_storage(estate, deployment, own))
    return findings + flat(await asyncio.gather(*map(guarded, looks)))
