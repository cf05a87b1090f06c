"""
Before anything is made: what azd would take without a word, and what `azd down` would delete.

It rests on assumption 107 of docs/fidelity.md.
"""

import re
import uuid
from collections.abc import Mapping

from tools.azd.clis import Azd, AzureCli, HookError

# azd passes on nothing where it cannot read a number, and the template's default, which is the example here, counts.
_NUMBERS = {
    "ROTATION_LEAD_DAYS": 30,
    "ROTATION_GRACE_HOURS": 24,
    "ROTATION_VERIFY_DAYS": 1,
    "ROTATION_MAXIMUM_INSTANCES": 40,
    "ROTATION_LOG_RETENTION_DAYS": 90,
}

# The resource group's tag with what only this environment knows. (Every template of azd tags with its name.)
_TAG = "azure-key-rotator"


def preprovision(environment: Mapping[str, str], azure: AzureCli, azd: Azd) -> None:
    """
    Raise HookError if a number is none, or if the resource group is not this environment's own.
    """
    for name, usual in _NUMBERS.items():
        value = environment.get(name, "")
        if value and not re.fullmatch(r"[0-9]+", value):
            raise HookError(
                f"{name} is {value!r}, and has to be a whole number, such as {usual}: azd env set {name} {usual}"
            )
    group = environment.get("ROTATION_RESOURCE_GROUP") or f"rg-rotator-{environment['AZURE_ENV_NAME']}"
    _require_no_move(environment, group)
    _require_own_group(environment, azure, group, _own_id(environment, azd))


def _require_no_move(environment: Mapping[str, str], group: str) -> None:
    before = environment.get("AZURE_RESOURCE_GROUP", "")
    if before and before.lower() != group.lower():
        raise HookError(
            f"This environment lies in the resource group {before}, and cannot move to {group}: the names of what is in"
            f" it are taken. Set it back (azd env set ROTATION_RESOURCE_GROUP {before}), or begin another environment"
            " (azd env new)."
        )


def _own_id(environment: Mapping[str, str], azd: Azd) -> str:
    """
    Return a word that this environment alone has; it is made at the first time, and kept by azd.
    """
    known = environment.get("ROTATION_ENVIRONMENT_ID")
    if known:
        return known
    made = str(uuid.uuid4())
    azd.set(environment["AZURE_ENV_NAME"], "ROTATION_ENVIRONMENT_ID", made)
    return made


def _require_own_group(environment: Mapping[str, str], azure: AzureCli, group: str, own: str) -> None:
    subscription = environment.get("AZURE_SUBSCRIPTION_ID", "")
    if not subscription:
        raise HookError(
            f"No subscription is chosen, so that nobody knows whether the resource group {group} is there already:"
            " azd env set AZURE_SUBSCRIPTION_ID to what az account show --query id prints."
        )
    if not azure.ask("group", "exists", "--subscription", subscription, "--name", group):
        return
    tags = azure.ask("group", "show", "--subscription", subscription, "--name", group).get("tags") or {}
    if tags.get(_TAG) != own:
        raise HookError(
            f"The resource group {group} is there already, and was not made by this environment: it would be taken"
            " over, and azd down would delete it with all that is in it. Choose a name that is free: azd env set"
            " ROTATION_RESOURCE_GROUP rg-of-its-own."
        )
