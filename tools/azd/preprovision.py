"""
Before anything is made: what azd would take without a word, and what `azd down` would delete.
"""

import re
from collections.abc import Mapping

from tools.azd.azure_cli import AzureCli
from tools.azd.errors import HookError

# azd passes on nothing where it cannot read a number, and the template's default counts.
_NUMBERS = ("ROTATION_LEAD_DAYS", "ROTATION_MAXIMUM_INSTANCES", "ROTATION_LOG_RETENTION_DAYS")


def preprovision(environment: Mapping[str, str], azure: AzureCli) -> None:
    """
    Raise HookError if a number is none, or if the resource group is somebody else's.
    """
    for name in _NUMBERS:
        value = environment.get(name, "")
        if value and not re.fullmatch(r"[0-9]+", value):
            raise HookError(f"{name} is {value!r}, and has to be a whole number, such as 30: azd env set {name} 30")
    _require_group_of_its_own(environment, azure)


def _require_group_of_its_own(environment: Mapping[str, str], azure: AzureCli) -> None:
    name = environment["AZURE_ENV_NAME"]
    group = environment.get("ROTATION_RESOURCE_GROUP") or f"rg-{name}"
    subscription = environment.get("AZURE_SUBSCRIPTION_ID", "")
    if not subscription:
        raise HookError(
            f"No subscription is chosen, so that nobody knows whether the resource group {group} is there already:"
            " azd env set AZURE_SUBSCRIPTION_ID to what az account show --query id prints."
        )
    if not azure.ask("group", "exists", "--subscription", subscription, "--name", group):
        return
    tags = azure.ask("group", "show", "--subscription", subscription, "--name", group).get("tags") or {}
    if tags.get("azd-env-name") != name:
        raise HookError(
            f"The resource group {group} is there already, and was not made by the environment {name}: it would be"
            " taken over, and azd down would delete it with all that is in it. Choose a name that is free: azd env set"
            " ROTATION_RESOURCE_GROUP rg-of-its-own."
        )
