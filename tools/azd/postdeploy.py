"""
After the code is there: the app is subscribed to the events of its vaults, and looks through them once.

azd gives the outputs of main.bicep as environment variables; `azd hooks run postdeploy` runs it again.
EVENTING_VAULT_IDS takes the place of AZURE_KEY_VAULT_IDS: ids with commas between them, or `none`.
"""

import http.client
import json
import re
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tools.azd.clis import AzureCli, HookError

_TEMPLATE = Path(__file__).parents[2] / "infra" / "eventing.bicep"
_FUNCTION = "on_secret_event"
_VAULT = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.KeyVault/vaults/[^/]+", re.IGNORECASE
)
_TRIES = 20
_PAUSE = 15.0  # seconds
_SWEEP_STARTS_WITHIN = 60  # seconds; it starts in the background


def postdeploy(
    environment: Mapping[str, str], azure: AzureCli, *, sleep: Callable[[float], None] = time.sleep, tries: int = _TRIES
) -> None:
    """
    Subscribe, and start a sweep; raise HookError if the subscriptions cannot be made. It can be run again at any time.
    """
    vaults = _vaults(environment.get("EVENTING_VAULT_IDS") or environment["AZURE_KEY_VAULT_IDS"])
    _wait_for_function(environment, azure, sleep, tries)
    if vaults:
        _subscribe(environment, azure, vaults)
    else:
        _say("EVENTING_VAULT_IDS is none: no vault is subscribed to.")
    _say(_sweep(environment, azure))


def _vaults(chosen: str) -> list[str]:
    """
    Return the ids in a list, each once: Azure compares them in any case.
    """
    if chosen.strip().lower() == "none":
        return []
    ids = [one.strip() for one in chosen.split(",") if one.strip()]
    strange = [one for one in ids if not _VAULT.fullmatch(one)]
    if strange:
        raise HookError(
            f"EVENTING_VAULT_IDS holds what is no id of a vault: {', '.join(strange)}. Take what az keyvault show"
            " --query id prints, with commas between them, or none."
        )
    found: dict[str, str] = {}
    for one in ids:
        found.setdefault(one.lower(), one)
    return list(found.values())


def _wait_for_function(
    environment: Mapping[str, str], azure: AzureCli, sleep: Callable[[float], None], tries: int
) -> None:
    """
    Wait until Azure knows the function, of which the host tells it only after it has loaded the code.
    """
    problem = ""
    for remaining in reversed(range(tries)):
        problem = azure.problem_of(*_of_app(environment, "function", "show"), "--function-name", _FUNCTION)
        if not problem:
            return
        if "az login" in problem:
            raise HookError(problem)
        if remaining:
            sleep(_PAUSE)
    app = environment["AZURE_FUNCTION_APP_NAME"]
    raise HookError(
        f"The function {_FUNCTION} of {app} does not show up: see the app's logs, then run azd hooks run postdeploy."
        f" The last answer was: {problem}"
    )


def _subscribe(environment: Mapping[str, str], azure: AzureCli, vaults: list[str]) -> None:
    topics = _existing_topics(azure, vaults)
    for vault, topic in topics.items():
        if not (topic.get("identity") or {}).get("principalId"):
            _say(
                f"The system topic {topic['id']} of {vault} has no system-assigned identity: what it cannot deliver is"
                " dropped instead of kept. Give it one (portal: Identity), then run azd hooks run postdeploy."
            )
    _warn_of_others(environment, azure, topics)
    parameters = {
        "environmentName": environment["AZURE_ENV_NAME"],
        "vaultIds": ",".join(vaults),
        "existingTopics": ",".join(f"{vault}={topic['id']}" for vault, topic in topics.items()),
        "functionAppId": environment["EVENTING_FUNCTION_APP_ID"],
        "storageId": environment["EVENTING_STORAGE_ID"],
        "deadLetterContainer": environment["EVENTING_DEAD_LETTER_CONTAINER"],
        "actionGroupId": environment["EVENTING_ACTION_GROUP_ID"],
    }
    try:
        azure.deploy(
            *("sub", "create", "--subscription", environment["AZURE_SUBSCRIPTION_ID"]),
            *("--location", environment["AZURE_LOCATION"]),
            *("--name", f"eventing-{environment['AZURE_FUNCTION_APP_NAME']}"),
            template=_TEMPLATE,
            parameters=parameters,
        )
    except HookError as error:
        raise HookError(
            f"{error}\nA role that was assigned just now counts everywhere minutes later: azd hooks run postdeploy."
        ) from None
    _say(f"Subscribed to the events of {len(vaults)} vaults.")


def _existing_topics(azure: AzureCli, vaults: list[str]) -> dict[str, dict[str, Any]]:
    """
    Return the system topic of each vault that has one. A vault has one at most, which others may use as well.
    """
    found: dict[str, dict[str, Any]] = {}
    for subscription in sorted({vault.split("/")[2].lower() for vault in vaults}):
        listed = azure.ask("eventgrid", "system-topic", "list", "--subscription", subscription)
        sources = {topic["source"].lower(): topic for topic in listed}
        found |= {vault: sources[vault.lower()] for vault in vaults if vault.lower() in sources}
    return found


def _warn_of_others(environment: Mapping[str, str], azure: AzureCli, topics: dict[str, dict[str, Any]]) -> None:
    """
    Say which vaults another environment is subscribed to: the two do not know of each other's rotations.
    """
    own = f"{environment['EVENTING_FUNCTION_APP_ID']}/".lower()
    for vault, topic in topics.items():
        _, _, subscription, _, group, *_, name = topic["id"].split("/")
        listed = azure.ask(
            *("eventgrid", "system-topic", "event-subscription", "list", "--subscription", subscription),
            *("--resource-group", group, "--system-topic-name", name),
        )
        others = [
            one["name"]
            for one in listed or []
            if one["name"].startswith("azure-key-rotator-")
            and not str((one.get("destination") or {}).get("resourceId")).lower().startswith(own)
        ]
        if others:
            _say(
                f"Another environment rotates secrets of {vault} as well ({', '.join(others)}). Their scopes must not"
                " overlap, or each regenerates keys that the other has just stored: see docs/deploy.md."
            )


def _sweep(environment: Mapping[str, str], azure: AzureCli) -> str:
    """
    Start a sweep, so that nobody waits for the schedule to see the secrets, and return what came of it.
    """
    later = "The first sweep runs at its schedule"
    if environment.get("ROTATION_PRIVATE_NETWORKING") == "true":
        return f"{later}: from here the app may be out of reach."
    if environment.get("ROTATION_ENTRA_CLIENT_ID"):
        return f"{later}: starting one by hand takes a token."
    try:
        key = azure.ask(*_of_app(environment, "keys", "list"))["masterKey"]
        url = f"{environment['AZURE_FUNCTION_APP_URL']}/admin/functions/sweep_vaults"
        body = json.dumps({"input": ""}).encode()
        headers = {"x-functions-key": key, "content-type": "application/json"}
        request = urllib.request.Request(url, body, headers)  # noqa: S310 - the app's own address, which is https
        with urllib.request.urlopen(request, timeout=_SWEEP_STARTS_WITHIN):  # noqa: S310 - as above
            return "A sweep was asked for: GET /api/secrets shows what it finds. The schedule repeats it."
    except (HookError, OSError, http.client.HTTPException) as problem:
        return f"{later}, as it could not be started now ({problem})."


def _of_app(environment: Mapping[str, str], *command: str) -> tuple[str, ...]:
    return (
        *("functionapp", *command, "--subscription", environment["AZURE_SUBSCRIPTION_ID"]),
        *("--resource-group", environment["AZURE_RESOURCE_GROUP"], "--name", environment["AZURE_FUNCTION_APP_NAME"]),
    )


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
