"""
The app's own storage: whether its identity may use the tables, queues and blobs.
"""

import asyncio

from rotator.doctor.deployment import Deployment
from rotator.doctor.estate import Estate
from rotator.doctor.finding import Area, Finding
from rotator.doctor.looking import flat, guarded
from rotator.doctor.needs import ON_STORAGE
from rotator.doctor.resources import Resource
from rotator.doctor.rights import Rights

_STORAGE = Area("storage")


async def look_at_storage(estate: Estate, deployment: Deployment, rights: Rights) -> list[Finding]:
    """
    Return what the app lacks on each account that its settings name.
    """
    roles: dict[str, list[str]] = {}
    for part, role in (("table", "Table"), ("queue", "Queue"), ("blob", "Blob")):
        if account := deployment.storage_account(part):
            roles.setdefault(account, []).extend(known for known in ON_STORAGE if f" {role} " in known)
    looks = (guarded(_look_at(estate, account, needed, rights)) for account, needed in roles.items())
    return flat(await asyncio.gather(*looks))


async def _look_at(estate: Estate, name: str, roles: list[str], rights: Rights) -> list[Finding]:
    account = await estate.find(
        Resource, "Microsoft.Storage/storageAccounts", "2024-01-01", lambda one: one.name.lower() == name
    )
    if account is None:
        return [
            _STORAGE.unknown(
                "storage_not_seen",
                f"the storage account {name} is in no subscription that you see",
                "compare the settings AzureWebJobsStorage__*, or sign in as somebody who may read it",
            )
        ]
    missing = [role for role in roles if await rights.lacking(account.id, ON_STORAGE[role], is_data=True)]
    if missing:
        return [
            _STORAGE.fault(
                "storage_right_missing",
                f"the app lacks {', '.join(missing)} on {name}",
                f"assign {'it' if len(missing) == 1 else 'them'} there to {rights.principal_id}",
            )
        ]
    return [_STORAGE.ok(f"the app may use {name}: {', '.join(roles)}")]
